"""A real PostgreSQL for each test process, the application on it, and people to act.

Nothing is cleaned between tests: every test makes its own people, and nobody sees another's workspace. Emptying
thirteen tables after each test took longer than the tests, and hid what one left behind for the next.
"""

import itertools
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import URL, make_url
from tests.support.contract import hold_to_contract
from tests.support.people import Person, make_person

from dutiful.app import create_app
from dutiful.database import migrate
from dutiful.database.embedded import EmbeddedPostgres
from dutiful.database.engine import create_engine
from dutiful.database.session import Database
from dutiful.settings import Settings
from dutiful.workers import housekeeping

# The tests' data may be lost with the power; the promises about that are tested on clusters of their own.
FAST_AND_UNSAFE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "150",
    # Its workers are the superuser's, whom our role may not send away from a database that it drops.
    "autovacuum": "off",
}


_CAP_SYS_ADMIN = 21
NEWEST = "18"
HERE = Path(__file__).parent
# Between two versions of PostgreSQL plans, locks and SQL may differ. These take long, and are about passwords, streams,
# processes, lost connections and descriptions.
ABOUT_OTHER_THINGS = (
    "accounts",
    "api/test_docs_page.py",
    "api/test_fair_share.py",
    "api/test_openapi.py",
    "api/test_outages.py",
    "api/test_problems.py",
    "api/test_rate_limits.py",
    "api/test_schemathesis.py",
    "api/test_security_headers.py",
    "changes/test_stream.py",
    "changes/test_stream_races.py",
    "faults",
    "imports/test_hostile_files.py",
    "operation",
    "pgbouncer",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres", choices=["16", NEWEST], default=NEWEST, help="major version to test against"
    )
    parser.addoption("--long", action="store_true", help="attack for minutes (tests/faults)")
    parser.addoption("--figures", metavar="FILE", help="write what the attacks came to as JSON")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if _is_senseless(item) or _is_the_same_on_both(item)]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def _is_senseless(item: pytest.Item) -> bool:
    """About another kind of user or machine than this."""
    senseless = {"as_user" if os.geteuid() == 0 else "as_root"}
    senseless |= set() if sys.platform == "linux" else {"linux"}
    senseless |= set() if _may_mount() else {"mounts"}
    return any(item.get_closest_marker(mark) for mark in senseless)


@cache
def _may_mount() -> bool:
    status = Path("/proc/self/status")
    found = re.search(r"^CapEff:\s*([0-9a-f]+)", status.read_text() if status.exists() else "", re.MULTILINE)
    return found is not None and bool(int(found[1], 16) >> _CAP_SYS_ADMIN & 1)


def _is_the_same_on_both(item: pytest.Item) -> bool:
    """Has nothing to do with the PostgreSQL that was asked for, so the run on the newest one is enough."""
    if item.config.getoption("--postgres") == NEWEST:
        return False
    is_about_other_things = any(item.path.is_relative_to(HERE / each) for each in ABOUT_OTHER_THINGS)
    return is_about_other_things or "postgres_major" not in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def postgres_major(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--postgres"))


@pytest.fixture(scope="session")
def public_tmp() -> Iterator[Path]:
    """A temporary folder that PostgreSQL's own account can reach too; pytest's are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="dutiful-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres(postgres_major: int, public_tmp: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(
        public_tmp, major=postgres_major, extra_settings=FAST_AND_UNSAFE, say=lambda _: None
    )
    with server:
        yield server


@pytest.fixture(scope="session")
def settings() -> Settings:
    # A pool smaller than the races in the tests, so that waiting for a connection is tested on the way.
    return Settings(db_pool_size=20, db_max_overflow=0, db_pool_timeout=20)


@pytest.fixture(scope="session")
async def database_url(postgres: EmbeddedPostgres, settings: Settings) -> URL:
    url = make_url(postgres.url)
    engine = create_engine(settings, url)
    await migrate.upgrade(engine)
    await engine.dispose()
    return url


@pytest.fixture(scope="session", autouse=True)
def nobody_clears_away() -> Iterator[None]:
    """Some tests turn the clock, and what would be old then belongs to others too. Chores are tested elsewhere, on a
    database of their own."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(housekeeping, "SECONDS_BETWEEN_LOOKS", 1e6)
        yield


@pytest.fixture(scope="session")
async def app(settings: Settings, database_url: URL) -> AsyncIterator[FastAPI]:
    app = create_app(settings, database_url)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(scope="session")
def database(app: FastAPI) -> Database:
    database: Database = app.state.database
    return database


@pytest.fixture(scope="session")
async def anonymous(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(app) as client:
        yield client


@asynccontextmanager
async def http_client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    hooks = {"response": [hold_to_contract]}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://dutiful.test", event_hooks=hooks
    ) as client:
        yield client


MakePerson = Callable[[str], Awaitable[Person]]


@pytest.fixture
async def new_person(app: FastAPI, database: Database) -> AsyncIterator[MakePerson]:
    """Makes people, each with a personal workspace and a token that may do everything."""
    numbers = itertools.count(1)
    async with http_client(app) as client:

        async def new(name: str) -> Person:
            return await make_person(database, client, f"{name} {next(numbers)}")

        yield new


@pytest.fixture
async def ana(new_person: MakePerson) -> Person:
    return await new_person("Ana")


@pytest.fixture
async def bob(new_person: MakePerson) -> Person:
    return await new_person("Bob")
