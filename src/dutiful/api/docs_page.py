"""The reference at `/docs`: Swagger UI, all of it served from here, so that it works without internet."""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from dutiful.api.headers import etag_matches
from dutiful.errors import NotFound

OURS = files("dutiful.api") / "static"
SWAGGER_UI = files("fastapi_offline") / "static"

FILES: dict[str, tuple[Traversable, str]] = {
    "docs.css": (OURS / "docs.css", "text/css"),
    "docs.js": (OURS / "docs.js", "text/javascript"),
    "favicon.svg": (OURS / "favicon.svg", "image/svg+xml"),
    "swagger-ui.css": (SWAGGER_UI / "swagger-ui.css", "text/css"),
    "swagger-ui-bundle.js": (SWAGGER_UI / "swagger-ui-bundle.js", "text/javascript"),
}
# No script but ours, and nobody else is spoken to. Swagger UI's stylesheet draws its icons from data: addresses.
CONTENT_POLICY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def lead_to_docs() -> Response:
    # Relative, so that it holds behind a proxy that serves a folder.
    return RedirectResponse("docs", headers=CONTENT_POLICY)


# The first time files are read and packed: in a thread.
@router.get("/docs")
def show_docs(request: Request) -> Response:
    return _answer(request, _page(), "no-cache")


@router.get("/docs/{name}")
def send_file(name: str, request: Request) -> Response:
    if name not in FILES:
        raise NotFound("The reference has no such file.")
    # The page names its files with their version.
    return _answer(request, _file(name), "public, max-age=31536000, immutable")


@dataclass(frozen=True, slots=True)
class _Content:
    body: bytes
    packed: bytes
    media_type: str
    tag: str


def _answer(request: Request, content: _Content, cache_control: str) -> Response:
    headers = {
        **CONTENT_POLICY,
        "Cache-Control": cache_control,
        "ETag": content.tag,
        "Vary": "Accept-Encoding",
    }
    if etag_matches(request.headers.get("if-none-match"), content.tag):
        return Response(status_code=304, headers=headers)
    body = content.body
    if "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["Content-Encoding"] = content.packed, "gzip"
    return Response(body, media_type=content.media_type, headers=headers)


@cache
def _page() -> _Content:
    versions = "".join(_file(name).tag for name in FILES)
    version = hashlib.sha256(versions.encode()).hexdigest()[:12]
    page = (OURS / "docs.html").read_text("utf-8").replace("{version}", version)
    return _content(page.encode(), "text/html")


@cache
def _file(name: str) -> _Content:
    source, media_type = FILES[name]
    return _content(source.read_bytes(), media_type)


def _content(body: bytes, media_type: str) -> _Content:
    # Weak: it stands for the packed form as well.
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
    return _Content(body, gzip.compress(body, mtime=0), media_type, tag)
