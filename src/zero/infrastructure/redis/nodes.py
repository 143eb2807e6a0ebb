"""Which server holds a shard, and connections to it."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import RedisSSLContext, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot

from zero.domain.errors import BufferUnavailable, ConfigurationError
from zero.infrastructure.redis.failures import FOREIGN, translate, unreachable
from zero.infrastructure.redis.keys import shard_keys
from zero.infrastructure.redis.link import Link, raise_refusal
from zero.infrastructure.redis.options import RedisOptions
from zero.infrastructure.redis.requests import pack

Address = tuple[str, int]
"""Host and port; a unix socket is its path and 0."""


class Nodes:
    """The servers behind one URL: one, or the nodes of a cluster. Connections are made when first needed.

    ``confirm`` looks at each pipelined connection, given its shard, before anything else is sent on it.
    """

    def __init__(self, options: RedisOptions, confirm: Callable[[int, Link], Awaitable[None]] | None = None) -> None:
        self._options = options
        self._confirm = confirm
        self._url, self._seeds = _seeds(options.url.replace("+cluster://", "://"))
        try:
            self._settings: dict[str, Any] = dict(parse_url(self._url))
        except ValueError as error:
            raise ConfigurationError(f"the buffer URL cannot be read: {error}") from error
        self._settings.pop("connection_class", None)
        self._addresses: dict[int, Address] = {}
        self._clients: dict[Address, Redis] = {}
        self._closing: set[asyncio.Future[None]] = set()

    async def address(self, shard: int) -> Address:
        """Return the server that holds the shard. Raises BufferUnavailable when the cluster cannot be asked."""
        if not self._options.cluster:
            return self._single()
        if shard not in self._addresses:
            self._addresses = await self._discover(max(self._options.shards, shard + 1))
        return self._addresses[shard]

    def forget(self) -> None:
        """Ask the cluster again before the next use: a shard has moved or a node is gone."""
        self._addresses.clear()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what redis-py and sockets raise in the block into the platform's errors, and forget where shards are."""
        try:
            yield
        except FOREIGN as error:
            self.forget()
            raise translate(error) from error

    async def client(self, shard: int) -> Redis:
        """Return the redis-py client of the shard's server."""
        address = await self.address(shard)
        client = self._clients.get(address)
        if client is None:
            client = self._clients[address] = self._new_client(address)
        return client

    async def each(self, shards: int) -> list[tuple[Redis, list[int]]]:
        """Return the client of every server that holds one of so many shards, and those that it holds."""
        held: dict[Address, list[int]] = {}
        for shard in range(shards):
            held.setdefault(await self.address(shard), []).append(shard)
        return [(await self.client(some[0]), some) for some in held.values()]

    async def link(self, shard: int, reply_timeout_seconds: float | None = None) -> Link:
        """Open a pipelined connection to the shard's server. Raises BufferUnavailable within ``timeout_seconds``."""
        reply_timeout_seconds = reply_timeout_seconds or self._options.reply_timeout_seconds
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                link = await self._connect(await self.address(shard), reply_timeout_seconds)
                if self._confirm is not None:
                    await _closed_if_it_fails(link, self._confirm(shard, link))
                return link
        except TimeoutError as error:
            self.forget()
            raise unreachable(f"no connection within {self._options.timeout_seconds} s") from error
        except OSError as error:
            self.forget()
            raise unreachable(error) from error
        except BufferUnavailable:
            self.forget()
            raise

    async def close(self) -> None:
        """Close every connection of every client."""
        while self._clients:
            await self._clients.popitem()[1].aclose()
        if self._closing:
            await asyncio.wait(self._closing)

    def _single(self) -> Address:
        if "path" in self._settings:
            return self._settings["path"], 0
        return self._settings.get("host", "localhost"), self._settings.get("port", 6379)

    async def _discover(self, shards: int) -> dict[int, Address]:
        """Ask every node that is known at once, for any of them may be down; the first answer counts."""
        asked = [asyncio.create_task(self._slots(seed)) for seed in dict.fromkeys((self._single(), *self._seeds))]
        failure: Exception = BufferUnavailable("no node of the cluster answers")
        try:
            for answer in asyncio.as_completed(asked):
                try:
                    return self._placed(await answer, shards)
                except (*FOREIGN, BufferUnavailable) as error:
                    failure = error
            raise translate(failure) from failure
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _slots(self, seed: Address) -> dict[tuple[int, int], list[Address]]:
        """Return who holds which slots, as one node sees it: the primary first, then its replicas."""
        client = self._new_client(seed)
        try:
            found: Any = await client.execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
        finally:
            closing = asyncio.ensure_future(client.aclose())
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)
            await asyncio.shield(closing)  # to its end, even when another node has answered
        return {
            (low, high): [(node[0].decode() if node[0] else seed[0], node[1]) for node in nodes] for low, high, *nodes in found
        }

    def _placed(self, held: dict[tuple[int, int], list[Address]], shards: int) -> dict[int, Address]:
        self._seeds = [node for nodes in held.values() for node in nodes] or self._seeds  # any of them can be asked next
        addresses: dict[int, Address] = {}
        for shard in range(shards):
            slot = key_slot(shard_keys(self._options.namespace, shard).stream.encode())
            nodes = next((nodes for (low, high), nodes in held.items() if low <= slot <= high), None)
            if nodes is None:
                raise BufferUnavailable(f"no node of the cluster holds shard {shard}")
            addresses[shard] = nodes[0]
        return addresses

    def _bounds(self) -> dict[str, Any]:
        return {
            "socket_connect_timeout": self._options.timeout_seconds,
            "socket_timeout": self._options.reply_timeout_seconds,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        }

    def _new_client(self, address: Address) -> Redis:
        settings = {key: value for key, value in self._settings.items() if key not in ("path", "host", "port")}
        place: dict[str, Any] = {"host": address[0], "port": address[1]} if address[1] else {"unix_socket_path": address[0]}
        return Redis(**settings, **place, **self._bounds(), ssl=self._url.startswith("rediss://"))

    async def _connect(self, address: Address, reply_timeout_seconds: float) -> Link:
        loop = asyncio.get_running_loop()

        def new_link() -> Link:
            return Link(self._options.timeout_seconds / 2, reply_timeout_seconds)

        if address[1]:
            _, link = await loop.create_connection(new_link, *address, ssl=self._tls())
        else:
            _, link = await loop.create_unix_connection(new_link, address[0])
        await _closed_if_it_fails(link, self._greet(link))
        return link

    async def _greet(self, link: Link) -> None:
        for command in self._greeting():
            raise_refusal(await link.call([pack(*command)], 1))

    def _greeting(self) -> list[tuple[str, ...]]:
        commands: list[tuple[str, ...]] = []
        if self._settings.get("password"):
            commands.append(("AUTH", self._settings.get("username") or "default", self._settings["password"]))
        if int(self._settings.get("db") or 0):
            commands.append(("SELECT", str(self._settings["db"])))
        return commands or [("PING",)]

    def _tls(self) -> ssl.SSLContext | None:
        if not self._url.startswith("rediss://"):
            return None
        named = {key.removeprefix("ssl_"): value for key, value in self._settings.items() if key.startswith("ssl_")}
        return RedisSSLContext(**{"cert_reqs": "required", "check_hostname": True, **named}).get()


async def _closed_if_it_fails(link: Link, step: Awaitable[None]) -> None:
    try:
        await step
    except BaseException:
        link.close()
        raise


def _seeds(url: str) -> tuple[str, list[Address]]:
    """Return the URL with the first of its hosts alone, and the others."""
    scheme, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    login, at, hosts = place.rpartition("@")
    first, *others = hosts.split(",")
    if scheme == "unix" or not others:
        return url, []
    try:
        found = [(host.strip("[]"), int(port)) for host, _, port in (other.rpartition(":") for other in others)]
    except ValueError as error:
        raise ConfigurationError("the hosts of a cluster are written host:port,host:port") from error
    return f"{scheme}://{login}{at}{first}{slash}{path}", found
