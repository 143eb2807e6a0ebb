"""Asking a role whether it is ready, as a load balancer would."""

import asyncio
import ssl
import time
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, ProxyHandler, build_opener

from zero.domain.errors import Unavailable

_ANSWER_BYTES_MAX = 4096


async def until_green(url: str, seconds_max: float) -> None:
    """Return once the URL answers 200. Raises Unavailable with its last answer."""
    deadline = time.monotonic() + seconds_max
    while (found := await asyncio.to_thread(look, url))[0] != 200:
        if time.monotonic() > deadline:
            raise Unavailable(f"{url} was not green within {seconds_max:g} s; it says: {found[1]}")
        await asyncio.sleep(0.1)


def look(url: str) -> tuple[int, str]:
    """Return the status (0: no answer) and the answer of a probe."""
    try:
        with build_opener(ProxyHandler({}), HTTPSHandler(context=_anyone())).open(url, timeout=5) as answer:
            return answer.status, answer.read(_ANSWER_BYTES_MAX).decode(errors="replace")
    except HTTPError as error:
        return error.code, error.read(_ANSWER_BYTES_MAX).decode(errors="replace")
    except (URLError, OSError) as error:
        return 0, str(error)


def _anyone() -> ssl.SSLContext:
    """Return what accepts any certificate: our own may be for other names, and nothing secret is said."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
