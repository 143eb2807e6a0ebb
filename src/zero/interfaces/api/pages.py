"""The pages: a landing page, and the OpenAPI viewer with every file of it served from here."""

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from zero.interfaces.api.guard import POLICY

OPENAPI_URL = "/api/openapi.json"
_OWN = Path(str(files("zero.interfaces.api"))) / "static"
_SWAGGER = Path(str(files("fastapi_standalone_docs"))) / "static" / "swagger"
_ASSETS = {
    "docs.js": _OWN / "docs.js",
    "page.css": _OWN / "page.css",
    "swagger-ui.css": _SWAGGER / "swagger-ui.css",
    "swagger-ui-bundle.js": _SWAGGER / "swagger-ui-bundle.js",
}
# The viewer writes style elements of its own; scripts stay bound to our files.
_VIEWER_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")


def pages_router() -> APIRouter:
    """Return the doors of the pages."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def landing() -> Response:
        return FileResponse(_OWN / "index.html")

    @router.get("/api/docs")
    async def docs() -> Response:
        return FileResponse(_OWN / "docs.html", headers={"Content-Security-Policy": _VIEWER_POLICY})

    @router.get("/assets/{name}")
    async def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise HTTPException(404)
        return FileResponse(_ASSETS[name], headers={"Cache-Control": "max-age=3600"})

    return router
