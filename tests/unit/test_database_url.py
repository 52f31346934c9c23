import re
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from dutiful.database_url import database_url_from_parts, parse_database_url

URL = "postgresql+asyncpg://ann:s3cret@db.example.org:5433/tasks"


def connect_args(url: str) -> dict[str, Any]:
    """What asyncpg will be given."""
    engine = create_async_engine(parse_database_url(url))
    arguments = engine.dialect.create_connect_args(engine.url)[1]
    assert arguments is not None
    return dict(arguments)


@pytest.mark.parametrize("scheme", ["postgresql+asyncpg", "postgresql", "postgres"])
def test_each_spelling_of_postgresql_gives_the_same_url(scheme: str) -> None:
    dsn = parse_database_url(f"{scheme}://ann:s3cret@db.example.org:5433/tasks")
    assert dsn.render_as_string(hide_password=False) == URL


def test_a_database_url_reaches_the_driver_in_its_parts() -> None:
    assert connect_args("postgres://ann:p%40ss%2F%3Aw@db.example.org:5433/tasks") == {
        "host": "db.example.org",
        "port": 5433,
        "user": "ann",
        "password": "p@ss/:w",
        "database": "tasks",
    }


@pytest.mark.parametrize("mode", ["disable", "prefer", "require", "verify-ca", "verify-full"])
def test_sslmode_is_translated_for_the_driver(mode: str) -> None:
    arguments = connect_args(f"{URL}?sslmode={mode}")
    assert arguments["ssl"] == mode
    assert "sslmode" not in arguments


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("postgresql://ann@/tasks?host=/run/postgresql", None),
        ("postgresql://ann@/tasks?host=/run/postgresql&port=5433", 5433),
        ("postgresql://ann@:5433/tasks?host=%2Frun%2Fpostgresql", 5433),
    ],
)
def test_a_unix_socket_is_a_folder(url: str, port: int | None) -> None:
    arguments = connect_args(url)
    assert arguments["host"] == "/run/postgresql"
    assert arguments.get("port") == port


def test_several_hosts_reach_the_driver_as_lists() -> None:
    arguments = connect_args(
        "postgresql://ann:s3cret@/tasks?host=h1:5432&host=h2:5433&target_session_attrs=primary"
    )
    assert arguments["host"] == ["h1", "h2"]
    assert arguments["port"] == [5432, 5433]
    assert arguments["target_session_attrs"] == "primary"


def test_several_hosts_without_more_mean_the_one_that_takes_writes() -> None:
    arguments = connect_args("postgresql://ann@/tasks?host=h1&host=h2:5433")
    assert arguments["port"] == [5432, 5433]
    assert arguments["target_session_attrs"] == "read-write"


def test_one_host_after_the_question_mark_is_the_host() -> None:
    arguments = connect_args("postgresql://ann@/tasks?host=h1:5433")
    assert (arguments["host"], arguments["port"]) == ("h1", 5433)


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert connect_args("postgresql://ann@[::1]:5433/tasks")["host"] == "::1"


@pytest.mark.parametrize(
    "hosts",
    ["h1:5432,h2:5432", "h1,h2:5432", "h1,h2"],
)
def test_several_hosts_with_a_comma_are_refused_with_the_right_form(hosts: str) -> None:
    for url in (f"postgresql://ann:s3cret@{hosts}/tasks", f"postgresql://ann:s3cret@/tasks?host={hosts}"):
        with pytest.raises(ValueError, match=r"\?host=h1:5432&host=h2:5432&target_session_attrs=read-write"):
            parse_database_url(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:///tasks.db", "keeps its data in PostgreSQL only"),
        ("mysql+aiomysql://ann:s3cret@h/tasks", "asks for mysql; Dutiful keeps"),
        ("postgresql+psycopg://ann:s3cret@h/tasks", "asks for the driver psycopg; Dutiful uses asyncpg"),
        ("tasks", "should look like postgresql+asyncpg://"),
        ("postgresql://ann:s3cret@h:port/tasks", "should look like"),
        ("postgresql://ann:p@s3cret@h/tasks", "more than one @"),
        ("postgresql://ann:s3cret@h", "names no database"),
        ("postgresql://ann:s3cret@h/tasks?channel_binding=require", "parameter 'channel_binding'"),
        ("postgresql://ann:s3cret@h/tasks?sslmode=maybe", "must have one sslmode"),
        ("postgresql://ann:s3cret@h/tasks?sslmode=require&ssl=require", "both ssl and sslmode"),
        ("postgresql://ann:s3cret@h/tasks?sslmode=require&sslmode=prefer", "must have one sslmode"),
        (
            "postgresql://ann:s3cret@h/tasks?target_session_attrs=standby",
            "must have one target_session_attrs",
        ),
        ("postgresql://ann:s3cret@h/tasks?host=other", "before and after the question mark"),
        ("postgresql://ann:s3cret@/tasks?host=h1&host=h2&port=1&port=2", "must have one number as port"),
        ("postgresql://ann:s3cret@/tasks?host=::1", "has a host that cannot be read"),
    ],
)
def test_a_database_url_that_will_not_work_is_refused_with_the_reason(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        parse_database_url(url)
    assert "s3cret" not in str(caught.value)


def test_the_statement_cache_can_be_turned_off_for_pgbouncer() -> None:
    url = f"{URL}?prepared_statement_cache_size=0"
    assert parse_database_url(url).query == {"prepared_statement_cache_size": "0"}
    assert connect_args(url)["prepared_statement_cache_size"] == 0


def test_parts_have_the_defaults_of_the_postgres_image() -> None:
    url = database_url_from_parts(user=None, password=None, host=None, port=None, database=None)
    assert str(url) == "postgresql+asyncpg://postgres@localhost:5432/postgres"
