"""Rules of the house that a reader would have to remember, checked instead."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
import tomllib
import typing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from pydantic_settings import BaseSettings
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker
from tests.support.routes import Route, routes_of

import dutiful
from dutiful.api.deps import get_database, get_db, get_read_db
from dutiful.api.transaction import TransactionRoute
from dutiful.database.session import Database, Reader, Writer
from dutiful.models import Base

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "dutiful"
SESSIONS = {Reader, Writer, AsyncSession, Session, Database}

# Where something is flushed or committed again and again, and why.
LOOPS: dict[str, str] = {}
# Commits outside `database/session.py`, and why.
COMMITS: dict[str, str] = {
    "database/migrate.py": "a migration is no request; Alembic's lock and its steps have a connection of their own",
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def calls_of(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    """Calls of a method of one of these names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield node


def test_one_module_commits() -> None:
    found = {name for name, tree in modules() if any(calls_of(tree, "commit"))}
    assert found == {"database/session.py", *COMMITS}


def test_nothing_is_flushed_or_committed_in_a_loop() -> None:
    loops = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    found = {
        f"{name}:{call.lineno}"
        for name, tree in modules()
        for loop in ast.walk(tree)
        if isinstance(loop, loops)
        for awaited in ast.walk(loop)
        if isinstance(awaited, ast.Await)
        for call in calls_of(awaited, "flush", "commit")
    }
    assert found == set(LOOPS)


# --- the tests themselves ---------------------------------------------------------------------------------------------


def test_every_client_of_the_tests_holds_the_server_to_its_description() -> None:
    """`tests/support/contract.py` is a hook, and a client without it notices nothing."""
    free = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in sorted((ROOT / "tests").rglob("*.py"))
        # Those there have generated clients of their own.
        if "clients" not in path.parts
        for call in calls_of(ast.parse(path.read_text(encoding="utf-8")), "Client", "AsyncClient")
        if "event_hooks" not in {keyword.arg for keyword in call.keywords}
    ]
    assert free == []


# --- routes -----------------------------------------------------------------------------------------------------------


def api_routes(app: FastAPI) -> list[Route]:
    routes = list(routes_of(app))
    assert len(routes) > 10
    return routes


def dependencies_of(dependant: Dependant) -> Iterator[Any]:
    for one in dependant.dependencies:
        yield one.call
        yield from dependencies_of(one)


def gives_session(call: Any) -> bool:
    hints = typing.get_type_hints(call if inspect.isroutine(call) else type(call).__call__)
    return hints.get("return") in SESSIONS


def test_every_route_has_the_class_that_owns_the_transaction(app: FastAPI) -> None:
    assert [one.name for one in api_routes(app) if not isinstance(one.route, TransactionRoute)] == []


def test_no_dependency_of_a_route_is_left_open(app: FastAPI) -> None:
    """What comes after `yield` would run after the answer, and once for each attempt only at the end."""
    for one in api_routes(app):
        for call in dependencies_of(one.route.dependant):
            assert not inspect.isgeneratorfunction(call), (one.name, call)
            assert not inspect.isasyncgenfunction(call), (one.name, call)


def test_nothing_that_a_route_needs_is_done_by_a_thread(app: FastAPI) -> None:
    """FastAPI hands what is no coroutine to one, which takes longer than all that any of them does."""
    for one in api_routes(app):
        for call in (one.route.endpoint, *dependencies_of(one.route.dependant)):
            work = call if inspect.isroutine(call) else type(call).__call__
            assert inspect.iscoroutinefunction(work), (one.name, call)


# A token stops working before its row goes: the deletion waits for writes that hold it.
COMMITS_ON_ITS_OWN = {"DELETE /tokens/{token_id}", "DELETE /sessions/current"}

# What works before its transaction: passwords are hashed while no connection is held, attempts are counted and people
# and sign-ins are stopped whatever becomes of the request.
PREPARED = {
    "POST /sessions",
    "DELETE /sessions",
    "DELETE /sessions/{session_id}",
    "POST /sign-up",
    "POST /users/me/password",
    "POST /password-resets",
    "POST /password-resets/use",
    "DELETE /users/me",
    "POST /users/{user_id}/disable",
    "DELETE /users/{user_id}",
}


def test_nothing_else_works_before_its_transaction(app: FastAPI) -> None:
    found = {one.name for one in api_routes(app) if hasattr(one.route.endpoint, "prepare")}
    assert found == PREPARED


def test_a_session_comes_from_one_place(app: FastAPI) -> None:
    """Writes have the transaction, reads the session that cannot write, and there is no third."""
    for one in api_routes(app):
        calls = set(dependencies_of(one.route.dependant))
        allowed = {get_db, get_read_db} | ({get_database} if one.name in COMMITS_ON_ITS_OWN else set())
        assert {call for call in calls if gives_session(call)} <= allowed, one.name
        assert (get_read_db if one.is_write else get_db) not in calls, one.name


def test_the_search_for_sessions_finds_them() -> None:
    """So that the test above cannot pass for not looking."""

    async def another(_: int) -> AsyncSession:
        raise NotImplementedError

    assert gives_session(get_db)
    assert gives_session(get_read_db)
    assert gives_session(another)
    assert not gives_session(api_routes)


def test_every_operation_has_a_name_of_its_own(app: FastAPI) -> None:
    names = [
        operation["operationId"]
        for path in app.openapi()["paths"].values()
        for operation in path.values()
        if "operationId" in operation
    ]
    assert len(names) == len(set(names))


# --- models and modules -----------------------------------------------------------------------------------------------


def test_no_relationship_loads_by_itself() -> None:
    found = {str(one): one.lazy for mapper in Base.registry.mappers for one in mapper.relationships}
    assert found
    assert set(found.values()) == {"raise"}


def all_modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(dutiful.__path__, "dutiful."):
        # Those two do their work when they are imported.
        if not found.name.endswith("__main__") and ".migrations." not in found.name:
            yield importlib.import_module(found.name)


def test_no_module_holds_an_engine_a_session_or_settings() -> None:
    """They belong to an application, and a process may have several."""
    kinds = (
        AsyncEngine,
        Engine,
        AsyncSession,
        Session,
        async_sessionmaker,
        sessionmaker,
        Database,
        BaseSettings,
    )
    found = [
        f"{module.__name__}.{name}"
        for module in all_modules()
        for name, value in vars(module).items()
        if isinstance(value, kinds)
    ]
    assert found == []


# --- the tests themselves ---------------------------------------------------------------------------------------------


MISTAKES = """
import gc, warnings

async def forgotten():
    pass

async def test_a_forgotten_await():
    forgotten()
    gc.collect()

async def test_a_deprecation():
    warnings.warn("old", DeprecationWarning)
"""


def test_a_mistake_that_only_warns_fails_the_test(tmp_path: Path) -> None:
    (tmp_path / "test_mistakes.py").write_text(MISTAKES)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        str(ROOT / "pyproject.toml"),
        "--noconftest",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "2 failed" in done.stdout, done.stdout
    assert "was never awaited" in done.stdout


def test_every_warning_is_an_error() -> None:
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    assert options["filterwarnings"][0] == "error"
