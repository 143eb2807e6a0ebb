"""The entries that the benchmarks send: a file of NDJSON, or made here from a seed, about 340 bytes each."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

LINES = (
    ("hdfs", "INFO", "PacketResponder {n} for block blk_{id} terminating"),
    ("hdfs", "INFO", "BLOCK* NameSystem.addStoredBlock: blockMap updated: {ip}:50010 is added to blk_{id} size 67108864"),
    ("hadoop", "ERROR", "ERROR IN CONTACTING RM. No Route to Host from node-{n} to {ip}:8030 failed on socket timeout"),
    ("hadoop", "INFO", "Progress of TaskAttempt attempt_{id}_m_{n}_0 is : 0.{n}"),
    ("openssh", "WARN", "Failed password for invalid user u{n} from {ip} port {port} ssh2"),
    ("openssh", "INFO", "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip}"),
    ("spark", "INFO", "Finished task {n}.0 in stage {n}.0 (TID {id}). {port} bytes result sent to driver"),
    ("payment", "ERROR", "charge {id} declined by processor after {n} ms: insufficient funds"),
    ("gateway", "INFO", "GET /api/v1/orders/{id} {n} {port}us upstream={ip}:8443"),
    ("gateway", "DEBUG", "connection from {ip}:{port} closed after {n} requests"),
)


def generate(count: int, seed: int = 7) -> Iterator[bytes]:
    """Yield NDJSON lines without their newline. The same arguments give the same bytes but for the time of day."""
    rng = random.Random(seed)
    for number in range(count):
        app, level, text = rng.choice(LINES)
        address = f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}"
        message = text.format(n=rng.randrange(1000), id=rng.getrandbits(40), ip=address, port=rng.randrange(1024, 65536))
        entry = {
            "app_id": app,
            "level": level,
            "message": message,
            "source": f"{app}-{rng.randrange(16)}",
            "environment": rng.choice(["prod", "prod", "prod", "staging"]),
            "metadata": {
                "host": f"node-{number % 200:03d}",
                "status": rng.choice([200, 200, 200, 404, 500]),
                "duration_ms": round(rng.expovariate(0.01), 2),
            },
            "trace_id": f"{rng.getrandbits(128):032x}",
            "user_id": f"u{rng.randrange(50_000)}",
        }
        yield json.dumps(entry, separators=(",", ":")).encode()


def lines(path: Path | None, count: int) -> list[bytes]:
    """Return ``count`` lines from the file (repeated when it is shorter), or generated ones."""
    if path is None:
        return list(generate(count))
    found = path.read_bytes().splitlines()
    if not found:
        raise ValueError(f"{path} holds no lines")
    return [found[number % len(found)] for number in range(count)]


def describe(path: Path | None, sample: list[bytes]) -> dict[str, object]:
    """Return what a reader of a result needs to know about the corpus."""
    return {
        "source": "generated" if path is None else path.name,
        "entries": len(sample),
        "bytes_mean": round(sum(map(len, sample)) / len(sample), 1),
    }
