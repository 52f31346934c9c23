"""What people would take instead: each written as its own documentation teaches. Installed by `make bench-peers`."""

import os
import shutil
from pathlib import Path

from benchmarks.peers import radicale
from benchmarks.servers import LIBPQ, PATH, ROOT, UVICORN, Candidate

_HERE = Path(__file__).parent
_PYTHON = str(ROOT / ".venv-bench" / "bin" / "python")
# Of gunicorn's documentation: twice the cores and one.
_GUNICORN_WORKERS = str(2 * (os.cpu_count() or 1) + 1)
_WORK = ("get", "list", "create")

DJANGO = Candidate(
    "django",
    "Django REST framework",
    _WORK,
    (
        *(_PYTHON, "-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--workers", _GUNICORN_WORKERS),
        "benchmarks.peers.drf.wsgi",
    ),
    LIBPQ | PATH,
    has_count=False,
    is_peer=True,
)
LITESTAR = Candidate(
    "litestar",
    "Litestar",
    _WORK,
    (_PYTHON, *UVICORN, "benchmarks.peers.litestar_app:app"),
    {"DATABASE_URL": "{url}"} | PATH,
    has_count=False,
    is_peer=True,
)
FASTIFY = Candidate(
    "fastify",
    "Fastify",
    _WORK,
    ("node", str(_HERE / "fastify" / "server.js")),
    LIBPQ | {"PORT": "{port}", "NODE_ENV": "production"},
    is_peer=True,
)
RADICALE = Candidate(
    "radicale",
    "Radicale",
    ("list", "create"),
    (_PYTHON, "-m", "radicale", "--config", "{data}/config"),
    {},
    ready_path="/.well-known/caldav",
    is_peer=True,
    prepare=radicale.prepare,
    plans={"list": radicale.listing, "create": radicale.creating},
)


def installed_peers() -> list[Candidate]:
    found: list[Candidate] = []
    if Path(_PYTHON).exists():
        found += [DJANGO, LITESTAR, RADICALE]
    if shutil.which("node") and (_HERE / "fastify" / "node_modules").exists():
        found.append(FASTIFY)
    return found
