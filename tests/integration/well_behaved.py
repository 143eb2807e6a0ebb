"""A well-behaved client in a process of its own: posts one log after another, and says at the end how long it had to wait.

Run as ``python well_behaved.py PORT``; says ``begun`` after its first request, and ends with its standard input.
"""

import http.client
import json
import sys
import threading
import time

COUNT_MIN = 100  # of fewer requests the 99th percentile is the worst one


def main() -> None:
    over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
    seconds, statuses = [], set()
    while not over.is_set() or len(seconds) < COUNT_MIN:
        began = time.perf_counter()
        connection.request("POST", "/api/logs", b'{"message":"hello"}', {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        statuses.add(response.status)
        seconds.append(time.perf_counter() - began)
        if len(seconds) == 1:
            print("begun", flush=True)
    print(json.dumps({"p99": sorted(seconds)[int(len(seconds) * 0.99)], "statuses": sorted(statuses), "count": len(seconds)}))


if __name__ == "__main__":
    main()
