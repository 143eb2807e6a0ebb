"""The platform with a proxy on every way between its parts: the roles and servers of ``zero up``, supervised in this process.

    senders ──► ingest ──► buffer ◄── drain ──► store ◄── api

The commands are those that ``zero up`` would start; only the addresses that a role is told lead through a proxy.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, urlsplit

from bench.record import ROOT
from tests.ports import free_port
from tests.torture.harness.clickhouse_hooks import StoreHooks
from tests.torture.harness.platform import LOOK_SECONDS, READY_SECONDS_MAX, Place, listening
from tests.torture.harness.proxy import Endpoint, Proxy
from zero.cli.up_plan import Plan, plan
from zero.embedded.child import Child, ChildOptions
from zero.embedded.clickhouse.options import WRITER, read_passwords
from zero.embedded.process import ChildCommand
from zero.embedded.supervisor import Supervisor
from zero.settings import Settings, load

LINKS = ("client-ingest", "client-grpc", "ingest-buffer", "drain-buffer", "drain-store", "api-store")
STOP_ORDER = ("ingest", "drain", "api")
STOP_SECONDS_MAX = 12.0


class WiredPlatform(Place):
    """Ingest, drain, api, buffer and store with proxies between them; ``drain_argv`` puts another drain in its place."""

    def __init__(self, folder: Path, drain_argv: Sequence[str] = (), **settings: str) -> None:
        super().__init__(folder)
        self.links: dict[str, Proxy] = {}
        self._settings = settings
        self._drain_argv = tuple(drain_argv)
        self._log = folder / "up.log"
        self._supervisor = Supervisor(ChildOptions(stop_seconds_max=STOP_SECONDS_MAX), self._say)

    def hooks(self) -> StoreHooks:
        """Return what makes the store fail."""
        password = read_passwords(self.data / "clickhouse" / "passwords")[WRITER]
        return StoreHooks(f"http://127.0.0.1:{self.ports['embedded_clickhouse']}", password)

    async def start(self) -> None:
        """Start servers, proxies and roles, and return when both pages are green."""
        self.data.mkdir(parents=True, exist_ok=True)
        direct = plan(self._chosen(), self.data)
        self._supervisor.start([_with_hooks(command) for command in direct.servers])
        await self._supervisor.until_ready(READY_SECONDS_MAX)
        migration = Child(direct.migration, ChildOptions(), self._say)
        migration.release()
        if await migration.run_once():
            raise RuntimeError(f"the store could not be migrated:\n{self.said()}")
        await self._wire(direct.settings)
        for role in self._supervisor.start([self._rewired(command, direct) for command in direct.roles]):
            role.release()
        await self.until_green()
        if not await asyncio.to_thread(self.accepts_and_stores):
            raise RuntimeError(f"nothing is stored; the last words:\n{self.said()[-3000:]}")

    async def until_green(self, seconds_max: float = READY_SECONDS_MAX) -> float:
        """Return after how many seconds ingest and api are ready."""
        begun = time.monotonic()
        while listening(self.ports["ingest_http"]) < 1 or not await asyncio.to_thread(self.green):
            if time.monotonic() > begun + seconds_max:
                raise RuntimeError(f"the platform is not ready; its last words:\n{self.said()[-3000:]}")
            await asyncio.sleep(LOOK_SECONDS)
        return time.monotonic() - begun

    def pid(self, name: str) -> int:
        """Return the process of a child: ``buffer``, ``store``, ``ingest-0``, ``drain-0``, ``api``."""
        found = next(child.pid for child in self._supervisor.children if child.command.name == name)
        if found is None:
            raise RuntimeError(f"{name} does not run")
        return found

    def restarts(self) -> int:
        """Return how often a child ended by itself."""
        return sum(child.restarts for child in self._supervisor.children)

    async def stop(self) -> None:
        """Stop everything in order."""
        try:
            await self._supervisor.stop(STOP_ORDER)
        finally:
            for link in self.links.values():
                await link.close()

    def said(self) -> str:
        """Return what the processes wrote."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _say(self, name: str, line: str) -> None:
        with self._log.open("a") as log:
            log.write(f"{name:<10} | {line}\n")

    def _chosen(self) -> Settings:
        names = {f"ZERO_{name.upper()}": f"127.0.0.1:{port}" for name, port in self.ports.items()}
        return load({**names, "ZERO_INGEST_WORKERS": "1", **self._settings})

    async def _wire(self, settings: Settings) -> None:
        """Start the proxies."""
        buffer = urlsplit(settings.buffer_url).path
        store = ("127.0.0.1", self.ports["embedded_clickhouse"])
        ports = iter([free_port() for _ in LINKS])
        targets: Mapping[str, tuple[Endpoint, Endpoint]] = {
            "client-ingest": (("127.0.0.1", next(ports)), ("127.0.0.1", self.ports["ingest_http"])),
            "client-grpc": (("127.0.0.1", next(ports)), ("127.0.0.1", self.ports["ingest_grpc"])),
            "ingest-buffer": (str(self.folder / "i.sock"), buffer),
            "drain-buffer": (str(self.folder / "d.sock"), buffer),
            "drain-store": (("127.0.0.1", next(ports)), store),
            "api-store": (("127.0.0.1", next(ports)), store),
        }
        for name in LINKS:
            self.links[name] = await Proxy(*targets[name]).start()
        self.sender_url = f"http://127.0.0.1:{_port(self.links['client-ingest'])}"
        self.sender_grpc = f"127.0.0.1:{_port(self.links['client-grpc'])}"

    def _rewired(self, command: ChildCommand, direct: Plan) -> ChildCommand:
        """Return the command with the addresses of the proxies; the api reaches the buffer as it is."""
        role = command.name.partition("-")[0]
        environment, settings = dict(command.environment), direct.settings
        if role in ("ingest", "drain"):
            socket = str(self.links[f"{role}-buffer"].listen)
            environment["ZERO_BUFFER_URL"] = settings.buffer_url.replace(
                quote(urlsplit(settings.buffer_url).path), quote(socket)
            )
        if role in ("drain", "api"):
            old, new = f":{self.ports['embedded_clickhouse']}/", f":{_port(self.links[f'{role}-store'])}/"
            for name in ("ZERO_CLICKHOUSE_URL", "ZERO_CLICKHOUSE_READER_URL"):
                environment[name] = environment[name].replace(old, new)
        argv = command.argv
        if role == "drain" and self._drain_argv:
            argv = (*self._drain_argv, *argv[argv.index("zero") + 1 :])
            environment["PYTHONPATH"] = str(ROOT)
        return replace(command, argv=argv, environment=environment)


def _with_hooks(command: ChildCommand) -> ChildCommand:
    return replace(command, argv=(*command.argv, "--hooks")) if command.name == "store" else command


def _port(link: Proxy) -> int:
    assert not isinstance(link.listen, str)
    return link.listen[1]
