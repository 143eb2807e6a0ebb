"""Addresses: where a listener binds, and who is at the other end."""

import ipaddress
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """Where a listener binds; port 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Return the address in ``host:port`` or ``[v6]:port``. Raises ValueError."""
        match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]\s]+):(\d{1,5})", text)
        if match is None or int(match[2]) > 65535:
            raise ValueError("expected host:port, such as 127.0.0.1:4318")
        return cls(match[1].strip("[]"), int(match[2]))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """True when only this machine can reach it."""
        return is_this_machine(self.host)


def is_this_machine(host: str) -> bool:
    """Say whether the name, or the address without brackets, means the machine that it is said on, whoever says it."""
    if host.lower() in ("localhost", "localhost."):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def peer_host(peer: object) -> str:
    """Return the host of a socket's peer, as ``getpeername`` has it; '' where it has none, as with a Unix socket."""
    return unmapped(str(peer[0])) if isinstance(peer, tuple) else ""


def unmapped(host: str) -> str:
    """Return an IPv4 address plain where a socket of IPv6 shows it as ``::ffff:192.0.2.1``, anything else as it is."""
    return host.removeprefix("::ffff:")
