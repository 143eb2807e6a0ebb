"""The pages: the one to search with, and the OpenAPI viewer, with every file of them served from here."""

import hashlib
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response
from starlette.exceptions import HTTPException

from zero.interfaces.api.guard import POLICY

OPENAPI_URL = "/api/openapi.json"
_OWN = Path(str(files("zero.interfaces.api"))) / "static"
_PAGE = _OWN / "page"
_SWAGGER = Path(str(files("fastapi_standalone_docs"))) / "static" / "swagger"
_VIEWER_ASSETS = {
    "docs.js": _OWN / "docs.js",
    "swagger-ui.css": _SWAGGER / "swagger-ui.css",
    "swagger-ui-bundle.js": _SWAGGER / "swagger-ui-bundle.js",
}
# No text may become markup or script: the browser itself refuses innerHTML and its kin.
PAGE_POLICY = f"{POLICY}; require-trusted-types-for 'script'; trusted-types 'none'"
# The viewer writes style elements of its own and shows images from its style sheet; scripts stay bound to our files.
_VIEWER_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(
    "img-src 'self'", "img-src 'self' data:"
)
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_MODULES_MARK = "<!-- modules -->"
_VERSION_MARK = "/assets/page/"


class Page:
    """The page and its files, read once. Their addresses carry a version, so that a browser asks for each file once."""

    def __init__(self, folder: Path = _PAGE) -> None:
        self._files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        index = self._files.pop("index.html").decode()
        digest = hashlib.sha256(index.encode())
        for name, content in self._files.items():
            digest.update(name.encode() + b"\0" + content + b"\0")
        self.version = digest.hexdigest()[:16]
        loads = [f'<link rel="modulepreload" href="{_VERSION_MARK}{name}">' for name in self._files if name.endswith(".js")]
        self.html = index.replace(_MODULES_MARK, "\n".join(loads)).replace(_VERSION_MARK, f"/assets/{self.version}/")

    def file(self, version: str, name: str) -> Response:
        """Return one of its files. Raises 404 for a name or a version that is not this one's."""
        if version != self.version or name not in self._files:
            raise HTTPException(404)
        return Response(self._files[name], media_type=_MEDIA_TYPES[Path(name).suffix], headers=_FOR_EVER)


def pages_router() -> APIRouter:
    """Return the doors of the pages."""
    router = APIRouter(include_in_schema=False)
    page = Page()

    @router.get("/")
    async def index() -> Response:
        return Response(page.html, media_type="text/html", headers={"Content-Security-Policy": PAGE_POLICY})

    @router.get("/assets/{version}/{name}")
    async def page_file(version: str, name: str) -> Response:
        return page.file(version, name)

    @router.get("/api/docs")
    async def docs() -> Response:
        return FileResponse(_OWN / "docs.html", headers={"Content-Security-Policy": _VIEWER_POLICY})

    @router.get("/assets/{name}")
    async def viewer_file(name: str) -> Response:
        if name not in _VIEWER_ASSETS:
            raise HTTPException(404)
        return FileResponse(_VIEWER_ASSETS[name], headers={"Cache-Control": "max-age=3600"})

    return router
