"""A well-behaved client in a process of its own: asks one thing after another, and says at the end how long it had to wait.

Run as ``python well_behaved.py KIND PORT``; says ``begun`` after its first request, and ends with its standard input.
"""

import http.client
import json
import sys
import threading
import time
from collections.abc import Callable

COUNT_MIN = 100  # of fewer requests the 99th percentile is the worst one
SECONDS_MAX = 60.0


def asking_http(port: int, method: str, path: str, body: bytes | None) -> Callable[[], int]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)

    def ask() -> int:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        return response.status

    return ask


def asking_grpc(port: int) -> Callable[[], int]:
    import grpc

    call = grpc.insecure_channel(f"127.0.0.1:{port}").unary_unary("/zero.v1.LogService/IngestLogs")
    return lambda: int(call(b"\x0a\x07\x22\x05hello", timeout=SECONDS_MAX) is None)


def main() -> None:
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    kind, port = sys.argv[1], int(sys.argv[2])
    ask = {
        "post": lambda: asking_http(port, "POST", "/api/logs", b'{"message":"hello"}'),
        "get": lambda: asking_http(port, "GET", "/health", None),
        "grpc": lambda: asking_grpc(port),
    }[kind]()
    seconds, answers = [], set()
    while not over.is_set() or len(seconds) < COUNT_MIN:
        began = time.perf_counter()
        answers.add(ask())
        seconds.append(time.perf_counter() - began)
        if len(seconds) == 1:
            print("begun", flush=True)
    print(json.dumps({"p99": sorted(seconds)[int(len(seconds) * 0.99)], "answers": sorted(answers), "count": len(seconds)}))


if __name__ == "__main__":
    main()
