"""Who asks, and whether they may: the one place where a request gets its tenant. Nothing in it can name another one."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

from fastapi import Depends, Request

from zero.application.credentials import credential_in
from zero.application.identity import Identity
from zero.application.key_ring import KeyRing
from zero.domain.key import KeyScope

Ask = Callable[[Request], AsyncIterator[Identity]]


def _needs(*scopes: KeyScope) -> Ask:
    """Return the dependency that lets keys with one of the scopes pass, within their quota, until the answer is sent."""

    async def identity_of(request: Request) -> AsyncIterator[Identity]:
        keys: KeyRing = request.app.state.keys
        identity = keys.authorise(credential_in(lambda name: ", ".join(request.headers.getlist(name))), *scopes)
        meter = identity.admit(0)
        try:
            yield identity
        finally:
            if meter is not None:
                meter.release()

    return identity_of


asks_query = _needs(KeyScope.QUERY)
asks_admin = _needs(KeyScope.ADMIN)
asks_query_or_admin = _needs(KeyScope.QUERY, KeyScope.ADMIN)


async def tenant_of(identity: Annotated[Identity, Depends(asks_query)]) -> str:
    """Return whose logs the request may see."""
    return identity.tenant


Reader = Annotated[Identity, Depends(asks_query)]
Admin = Annotated[Identity, Depends(asks_admin)]
ReaderOrAdmin = Annotated[Identity, Depends(asks_query_or_admin)]
Tenant = Annotated[str, Depends(tenant_of)]
