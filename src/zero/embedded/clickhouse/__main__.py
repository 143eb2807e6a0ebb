"""``python -m zero.embedded.clickhouse --path DIR [--listen HOST:PORT] [--password-file FILE]``."""

import argparse
from pathlib import Path

from zero.embedded.clickhouse.options import ServerOptions, read_passwords
from zero.embedded.clickhouse.server import serve
from zero.embedded.lifeline import die_with


def main() -> None:
    """Run the server until SIGTERM; prints ``ready URL`` once it answers."""
    parser = argparse.ArgumentParser(prog="python -m zero.embedded.clickhouse", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="the data directory")
    parser.add_argument("--listen", default="127.0.0.1:8123", help="HOST:PORT; port 0 takes a free one")
    parser.add_argument("--password-file", type=Path, help="lines user:password; made when missing (default: DIR/passwords)")
    parser.add_argument("--memory-bytes", type=int, default=4 << 30, help="the most that the engine may use")
    parser.add_argument("--shutdown-seconds", type=float, default=20.0, help="how long queries may run on at a stop")
    parser.add_argument("--parent", type=int, help="the process to live and die with")
    parser.add_argument("--hooks", action="store_true", help="answer /_hooks: faults for torture tests")
    arguments = parser.parse_args()
    if arguments.parent is not None:
        die_with(arguments.parent)
    host, _, port = arguments.listen.rpartition(":")
    passwords = read_passwords(arguments.password_file or arguments.path / "passwords")
    more = {name: getattr(arguments, name) for name in ("memory_bytes", "shutdown_seconds", "hooks")}
    options = ServerOptions(arguments.path, host.strip("[]"), int(port), passwords, **more)
    serve(options, ready=lambda url: print(f"ready {url}", flush=True))


if __name__ == "__main__":
    main()
