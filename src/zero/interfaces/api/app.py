"""The api as an ASGI application."""

from fastapi import FastAPI

from zero.interfaces.api import failures
from zero.interfaces.api.dead_letters import dead_letters_router
from zero.interfaces.api.fields import fields_router
from zero.interfaces.api.figures import figures_router, probes_router
from zero.interfaces.api.following import Followers, following_router
from zero.interfaces.api.guard import Guard
from zero.interfaces.api.keys import keys_router
from zero.interfaces.api.leaving import Leaving
from zero.interfaces.api.logs import app_router, logs_router
from zero.interfaces.api.meaning import meaning_router
from zero.interfaces.api.options import ApiOptions
from zero.interfaces.api.pages import OPENAPI_URL, pages_router
from zero.interfaces.api.patterns import patterns_router
from zero.interfaces.api.services import ApiServices
from zero.interfaces.api.timing import Timing
from zero.interfaces.api.traced import Traced


def create_app(services: ApiServices, options: ApiOptions | None = None, followers: Followers | None = None) -> FastAPI:
    """Return the application. ``followers`` lets the server end live tails when it stops."""
    options = options or ApiOptions()
    followers = followers or Followers(options.tail_clients_max)
    app = FastAPI(title="zero", version="1", openapi_url=OPENAPI_URL, docs_url=None, redoc_url=None)
    app.state.keys = services.keys
    failures.install(app)
    for router in (
        logs_router(services),
        following_router(services, options, followers),
        app_router(services),
        meaning_router(services),
        patterns_router(services),
        fields_router(services),
        figures_router(services),
        dead_letters_router(services),
        keys_router(services),
        probes_router(services),
        pages_router(),
    ):
        app.include_router(router)
    app.add_middleware(Leaving)
    app.add_middleware(Guard, options=options)
    if services.tracer is not None:
        app.add_middleware(Traced, tracer=services.tracer)
    app.add_middleware(Timing, telemetry=services.telemetry)
    return app
