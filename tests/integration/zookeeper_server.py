"""A ZooKeeper of the tests' own, where Java and Debian's ``libzookeeper-java`` are installed."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.patience import soon
from tests.ports import free_port

JAR = Path("/usr/share/java/zookeeper.jar")


def is_installed() -> bool:
    """Say whether there is one to start."""
    return JAR.exists() and shutil.which("java") is not None


class ZooKeeperServer:
    """One server on a loopback port, thrown away with its data."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="zero-zk-"))
        self.port = free_port()
        settings = {
            "tickTime": 500,
            "dataDir": self.home / "data",
            "clientPort": self.port,
            "clientPortAddress": "127.0.0.1",
            "admin.enableServer": "false",
        }
        config = self.home / "zoo.cfg"
        config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        argv = ["java", "-Xmx96m", "-cp", str(JAR), "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(config)]
        with (self.home / "log").open("wb") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        soon(self._answers, "ZooKeeper does not start")

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self.home / "log").read_text()
        answer = subprocess.run(
            ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{self.port}; printf srvr >&3; head -c 9 <&3"],
            capture_output=True,
            check=False,
        )
        return answer.stdout.startswith(b"Zookeeper")

    def close(self) -> None:
        """Stop it, and remove its files."""
        self._process.terminate()
        self._process.wait(30)
        shutil.rmtree(self.home, ignore_errors=True)
