"""Ways to the server besides the plain socket: TLS, passwords, a cluster whose slots move."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from tests.contract.buffer_contract import frame, taken
from tests.integration.redis.cluster import Cluster
from tests.integration.servers import Server, debian_redis
from tests.ports import free_port
from zero.domain.errors import BufferUnavailable
from zero.infrastructure.redis import RedisBuffer, RedisOptions, RedisShardLog


def tls_redis(directory: Path) -> tuple[Server, int, Path]:
    """Return a Redis 7 with TLS and a password, its port, and the certificate to trust."""
    server = debian_redis(directory)
    certificate, key, port = directory / "certificate.pem", directory / "key.pem", free_port()
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    command += [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(command, check=True, capture_output=True)
    tls = {"tls-port": str(port), "tls-cert-file": str(certificate), "tls-key-file": str(key), "tls-auth-clients": "no"}
    tls |= {"bind": "127.0.0.1", "requirepass": "secret"}
    server.argv += tuple(word for name, value in tls.items() for word in (f"--{name}", value))
    server.url = server.url.replace("unix://", "unix://:secret@")
    return server.start(), port, certificate


async def test_tls_and_a_password_work_and_an_unknown_certificate_is_refused(tmp_path: Path) -> None:
    server, port, certificate = tls_redis(tmp_path)
    options = RedisOptions(f"rediss://:secret@localhost:{port}/2?ssl_ca_certs={certificate}", timeout_seconds=2.0)
    buffer, log = RedisBuffer(options), RedisShardLog(options)
    await buffer.append([frame(1)])
    assert len(await log.read(await taken(log), 10, 0.0)) == 1
    distrustful = RedisBuffer(RedisOptions(f"rediss://:secret@localhost:{port}", timeout_seconds=2.0))
    with pytest.raises(BufferUnavailable, match="certificate verify failed"):
        await distrustful.append([frame(1)])
    stranger = RedisBuffer(RedisOptions(f"rediss://:wrong@localhost:{port}?ssl_ca_certs={certificate}", timeout_seconds=2.0))
    with pytest.raises(BufferUnavailable, match="WRONGPASS") as refused:
        await stranger.append([frame(1)])
    assert "wrong@" not in refused.value.message
    for part in (buffer, log, distrustful, stranger):
        await part.close()
    server.close()


async def test_a_shard_that_moves_to_another_node_is_found_there(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    options = RedisOptions(cluster.url, timeout_seconds=2.0)
    buffer, log = RedisBuffer(options), RedisShardLog(options)
    await buffer.append([frame(1)])
    assert await log.acquire(0, "drain-a") is not None
    cluster.move_slot_of("zero:{0}:stream")
    for attempt in (buffer.append([frame(2)]), log.acquire(0, "drain-a")):
        with pytest.raises(BufferUnavailable, match="MOVED"):
            await attempt
    await asyncio.sleep(0.1)
    await buffer.append([frame(3)])
    lease = await taken(log)
    assert [delivery.data for delivery in await log.read(lease, 10, 0.0)] == [frame(3).frame]
    await buffer.close()
    await log.close()
    cluster.close()
