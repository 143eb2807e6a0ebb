"""The embedded Valkey: closed to others, durable, one at a time, gone with its parent."""

import random
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import redis

from tests.integration.servers import Server, embedded_valkey, patient_log
from zero.application.drain import DrainParts, ShardDrain
from zero.application.drain.events import DeadLettered
from zero.application.ports import Append
from zero.domain.frame import pack_frame
from zero.domain.log_batch import join_entries
from zero.embedded.valkey import ValkeyOptions, prepare
from zero.infrastructure.memory import MemoryCodec, MemoryStore, MemoryTelemetry
from zero.infrastructure.redis import RedisBuffer, RedisOptions
from zero.infrastructure.system.clock import SystemClock


def test_the_data_of_a_former_run_is_found_again(own_valkey: Server) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        client.set("zero:kept", "yes")
        own_valkey.close()
        own_valkey.start()
        assert client.get("zero:kept") == b"yes"


def test_its_files_and_its_socket_are_for_the_owner_alone(own_valkey: Server, tmp_path: Path) -> None:
    home = tmp_path / "valkey"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (home, *home.iterdir())}
    assert modes["valkey"] == modes["valkey.sock"] == 0o700
    assert modes["password"] == modes["users.acl"] == modes["valkey.conf"] == modes["lock"] == 0o600


def test_it_listens_on_no_tcp_port(own_valkey: Server) -> None:
    assert own_valkey.process is not None
    inodes = {str(path.readlink()) for path in Path(f"/proc/{own_valkey.process.pid}/fd").iterdir() if path.is_symlink()}
    tcp = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    assert not [line for line in tcp if f"socket:[{line[9]}]" in inodes]


@pytest.mark.parametrize(
    "command",
    ["KEYS *", "FLUSHALL", "EVAL return(1) 0", "CONFIG SET save 1", "SHUTDOWN", "SCRIPT FLUSH", "ACL LIST"],
)
def test_commands_that_the_platform_does_not_use_are_refused(redis_url: str, command: str) -> None:
    with redis.Redis.from_url(redis_url) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split(" "))


def test_keys_outside_the_namespace_are_refused(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.get("other")


def test_many_processes_with_many_shards_find_a_connection(redis_url: str) -> None:
    clients = [redis.Redis.from_url(redis_url) for _ in range(400)]
    try:
        assert all(client.ping() for client in clients)
    finally:
        for client in clients:
            client.close()


def test_nothing_is_told_without_the_password(redis_url: str) -> None:
    path = redis_url.partition("@")[2]
    with redis.Redis.from_url(f"unix://{path}") as client, pytest.raises(redis.exceptions.AuthenticationError):
        client.get("zero:any")


def test_a_truncated_tail_of_the_append_only_file_loses_only_itself(own_valkey: Server, tmp_path: Path) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        client.set("zero:first", "1")
        client.set("zero:second", "2")
        own_valkey.kill()
        (log,) = (tmp_path / "valkey" / "appendonlydir").glob("*.incr.aof")
        with log.open("rb+") as file:
            file.truncate(log.stat().st_size - 5)
        own_valkey.start()
        assert (client.get("zero:first"), client.get("zero:second")) == (b"1", None)


@pytest.mark.parametrize("behind", [b"", b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"])
def test_what_a_power_cut_left_without_its_bytes_loses_only_itself(own_valkey: Server, tmp_path: Path, behind: bytes) -> None:
    with redis.Redis.from_url(own_valkey.url) as client:
        client.set("zero:first", bytes(10_000) + b"\r\n*")
        own_valkey.kill()
        (log,) = (tmp_path / "valkey" / "appendonlydir").glob("*.incr.aof")
        with log.open("ab") as file:
            file.write(bytes(4096 - file.tell() % 4096) + behind)
        own_valkey.start()
        client.set("zero:second", "2")
        own_valkey.kill()
        own_valkey.start()
        assert (client.get("zero:first"), client.get("zero:second")) == (bytes(10_000) + b"\r\n*", b"2")


async def test_a_frame_that_was_damaged_on_the_disk_is_a_dead_letter_and_those_around_it_are_stored(
    own_valkey: Server, tmp_path: Path
) -> None:
    codec, store, telemetry = MemoryCodec(), MemoryStore(), MemoryTelemetry()
    buffer = RedisBuffer(RedisOptions(own_valkey.url))
    for bid in (7, 8, 9):
        payload = join_entries(b"%d of %d" % (index, bid) for index in range(3))
        await buffer.append([Append(0, pack_frame(bid, 1, 3, "default", [payload], codec.crc32c), "default", 3)])
    await buffer.close()
    own_valkey.kill()
    (file,) = (tmp_path / "valkey" / "appendonlydir").glob("*.incr.aof")
    file.write_bytes(file.read_bytes().replace(b"1 of 8", b"1 of 9"))
    own_valkey.start()
    log = patient_log(own_valkey.url)
    drain = ShardDrain(0, "drain-a", DrainParts(log, store, codec, SystemClock(), random.Random(0), telemetry))
    drain.stop(30.0)
    await drain.run()
    await log.close()
    assert store.rows.keys() == {7, 9}
    (letter,) = telemetry.of(DeadLettered)
    assert (letter.kind, letter.entries) == ("corrupt", 3)


def test_a_deep_data_directory_gets_its_socket_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory(prefix="zero-") as runtime:
        monkeypatch.setenv("XDG_RUNTIME_DIR", runtime)
        server = embedded_valkey(tmp_path / ("d" * 100) / "data").start()
        assert f"@{runtime}/zero-" in server.url
        assert [stat.S_IMODE(path.stat().st_mode) for path in Path(runtime).iterdir()] == [0o700]
        server.close()


def test_a_second_server_on_the_same_directory_does_not_start(
    own_valkey: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import sys; from zero.embedded import valkey; valkey.LOCK_WAIT_SECONDS = 0.2; valkey.main()"
    argv = [sys.executable, "-c", code, *prepare(ValkeyOptions(tmp_path)).argv[3:]]
    second = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 1
    assert "another server uses" in second.stderr
    with redis.Redis.from_url(own_valkey.url) as client:
        assert client.ping()


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    code = f"""
import pathlib, subprocess, time
from zero.embedded.valkey import ValkeyOptions, prepare
child = subprocess.Popen(prepare(ValkeyOptions(pathlib.Path({str(tmp_path)!r}))).argv, stdout=subprocess.DEVNULL)
print(child.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    socket = tmp_path / "valkey" / "valkey.sock"
    wait_until(socket.exists)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    wait_until(lambda: not alive(child))


def alive(process: int) -> bool:
    """Whether the process runs; a zombie that nobody reaped does not."""
    try:
        return " Z " not in Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: object) -> None:
    deadline = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_refuses_to_run_under_another_parent(tmp_path: Path) -> None:
    argv = list(prepare(ValkeyOptions(tmp_path)).argv)
    argv[argv.index("--parent") + 1] = "1"
    assert subprocess.run(argv, capture_output=True, timeout=60, check=False).returncode == 1
