"""The load generators: wrk for HTTP/1.1 and h2load for HTTP/2, and what they say of a run."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

NDJSON, PROTOBUF = "application/x-ndjson", "application/x-protobuf"
H2LOAD_WARM_SECONDS = 1
PERCENTILES = {"p50_ms": 0.50, "p99_ms": 0.99, "p999_ms": 0.999}

# Each wrk thread walks the bodies from a start of its own. No response callback: it would cost the generator much of its rate.
SCRIPT = """
local bodies = {}
local at = 0
function init()
  local file = io.open("%(bodies)s", "rb")
  local headers = {%(headers)s["Host"] = wrk.headers["Host"]}
  local size = file:read("*n")
  while size do
    file:read(1)
    bodies[#bodies + 1] = wrk.format("POST", wrk.path, headers, file:read(size))
    file:read(1)
    size = file:read("*n")
  end
  file:close()
  math.randomseed(os.time())
  at = math.random(#bodies)
end
function request() at = at %% #bodies + 1 return bodies[at] end
function done(summary, latency)
  local errors = summary.errors
  print(string.format("RESULT accepted=%%d refused=%%d micros=%%d p50=%%d p99=%%d p999=%%d errors=%%d",
    summary.requests - errors.status, errors.status, summary.duration, latency:percentile(50), latency:percentile(99),
    latency:percentile(99.9), errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What is sent: bodies of ``entries`` entries each, by ``connections`` that each wait for their answer."""

    bodies: Sequence[bytes]
    entries: int = 1
    connections: int = 16
    content_type: str = NDJSON
    path: str = "/api/logs"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sent:
    """What became of the requests of one run. Latencies in milliseconds, as the generator saw them.

    ``warm_seconds`` is how long the generator sent before it began to count.
    """

    accepted: int
    refused: int
    errors: int
    seconds: float
    latency: dict[str, float]
    warm_seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Requests a second that were accepted."""
        return self.accepted / self.seconds if self.seconds else 0.0

    def figures(self) -> dict[str, float]:
        """Return the run for a result file."""
        counts = {"requests_accepted": self.accepted, "requests_refused": self.refused, "connection_errors": self.errors}
        return {**counts, "seconds": round(self.seconds, 3), **self.latency}


def program(name: str, package: str) -> str:
    """Return the path of a load generator. Raises RuntimeError that says how to get it."""
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is missing: apt-get install {package}, or sh deploy/machine.sh bench-packages")
    return found


def wrk(url: str, load: Load, seconds: float) -> Sent:
    """Send the bodies round and round over HTTP/1.1 from one thread; whole seconds, one at least."""
    whole = max(1, round(seconds))
    with tempfile.TemporaryDirectory() as folder:
        bodies, script = Path(folder) / "bodies", Path(folder) / "load.lua"
        bodies.write_bytes(b"".join(b"%d\n%b\n" % (len(body), body) for body in load.bodies))
        headers = {"Content-Type": load.content_type, **load.headers}
        fields = "".join(f'["{name}"] = "{value}", ' for name, value in headers.items())
        script.write_text(SCRIPT % {"bodies": bodies, "headers": fields})
        command = [program("wrk", "wrk"), "-t1", f"-c{load.connections}", f"-d{whole}s", "--timeout", "30s"]
        answer = subprocess.run(
            [*command, "-s", str(script), url + load.path], capture_output=True, text=True, timeout=whole + 120, check=True
        )
    return parse_wrk(answer.stdout)


def parse_wrk(text: str) -> Sent:
    """Return what our script had wrk print. Raises RuntimeError when it printed nothing of it."""
    found = re.search(r"RESULT (.*)", text)
    if found is None:
        raise RuntimeError(f"wrk gave no result:\n{text}")
    numbers = {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", found[1])}
    latency = {f"{name}_ms": numbers[name] / 1e3 for name in ("p50", "p99", "p999")}
    return Sent(numbers["accepted"], numbers["refused"], numbers["errors"], numbers["micros"] / 1e6, latency)


def h2load(url: str, load: Load, seconds: float, streams: int) -> Sent:
    """Send the first body again and again over HTTP/2 (prior knowledge), ``streams`` at a time on each connection."""
    whole = max(1, round(seconds))
    with tempfile.TemporaryDirectory() as folder:
        body, log = Path(folder) / "body", Path(folder) / "log"
        body.write_bytes(load.bodies[0])
        command = [program("h2load", "nghttp2-client"), "-D", str(whole), "--warm-up-time", str(H2LOAD_WARM_SECONDS), "-t1"]
        fields = {"content-type": load.content_type, **load.headers}
        headers = [word for name, value in fields.items() for word in ("-H", f"{name}: {value}")]
        options = [f"-c{load.connections}", f"-m{streams}", *headers, "-d", str(body), "--log-file", str(log)]
        answer = subprocess.run(
            [*command, *options, url + load.path], capture_output=True, text=True, timeout=whole + 120, check=True
        )
        return parse_h2load(answer.stdout, log.read_text(), whole)


def parse_h2load(text: str, log: str, seconds: float) -> Sent:
    """Return what h2load printed, with latencies from its log: ``start µs, status, duration µs`` a line."""
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    failures = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", text)
    if codes is None or failures is None:
        raise RuntimeError(f"h2load gave no result:\n{text}")
    accepted, *refused = map(int, codes.groups())
    micros = sorted(int(line.split("\t")[2]) for line in log.splitlines() if line.count("\t") == 2)
    latency = {name: percentile(micros, share) / 1e3 for name, share in PERCENTILES.items()}
    return Sent(accepted, sum(refused), max(0, int(failures[1]) - sum(refused)), seconds, latency, H2LOAD_WARM_SECONDS)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which that share of the ordered values lies; 0 of none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
