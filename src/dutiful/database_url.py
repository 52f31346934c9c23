"""The address of the database: what the operator writes, as SQLAlchemy's asyncpg dialect wants it."""

import re
from collections.abc import Sequence

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVER = "postgresql+asyncpg"

_FORM = "postgresql+asyncpg://user:password@host:port/database"
_SEVERAL_HOSTS = "several hosts are written ?host=h1:5432&host=h2:5432&target_session_attrs=read-write"
_PARAMETERS = {
    "ssl": r"disable|allow|prefer|require|verify-ca|verify-full",
    # On a standby every write would fail.
    "target_session_attrs": r"read-write|primary",
    "passfile": r".+",
    # 0 behind PgBouncer, where the next transaction may run on another connection.
    "prepared_statement_cache_size": r"[0-9]{1,6}",
}


def parse_database_url(text: str) -> URL:
    """The URL as SQLAlchemy's asyncpg dialect wants it.

    Raises ValueError with a reason that quotes nothing which might be a password.
    """
    url = _parse(text.strip())
    _check_dialect(url.drivername)
    if url.host and "," in url.host:
        raise ValueError(_SEVERAL_HOSTS)
    if url.host and "@" in url.host:
        raise ValueError("has more than one @; in a password write it as %40")
    if not url.database:
        raise ValueError(f"names no database; it should look like {_FORM}")
    return _translated(url.set(drivername=DRIVER))


def database_url_from_parts(
    *, user: str | None, password: str | None, host: str | None, port: int | None, database: str | None
) -> URL:
    """With the defaults of the postgres image. A `host` that begins with / is the folder of a unix socket."""
    user = user or "postgres"
    host = host or "localhost"
    is_socket = host.startswith("/")
    return URL.create(
        DRIVER,
        username=user,
        password=password,
        host=None if is_socket else host,
        port=port or 5432,
        database=database or user,
        query={"host": host} if is_socket else {},
    )


def check_database_host(value: str) -> str:
    if not re.fullmatch(r"/.*|[A-Za-z0-9._:%-]+", value):
        raise ValueError("must be one host name, an address, or the folder of a unix socket")
    return value


def _parse(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        if "," in text.rpartition("@")[2].partition("?")[0]:
            raise ValueError(_SEVERAL_HOSTS) from None
        raise ValueError(
            f"should look like {_FORM}; in a password write @ as %40, / as %2F, : as %3A"
        ) from None


def _check_dialect(drivername: str) -> None:
    if drivername in {DRIVER, "postgresql", "postgres"}:
        return
    dialect, _, driver = drivername.partition("+")
    if dialect in {"postgresql", "postgres"}:
        raise ValueError(f"asks for the driver {driver}; Dutiful uses asyncpg: write postgresql+asyncpg://")
    raise ValueError(
        f"asks for {dialect}; Dutiful keeps its data in PostgreSQL only, whose row locks and notifications its "
        "promises rest on. Leave DATABASE_URL out and the server runs a private PostgreSQL by itself"
    )


def _translated(url: URL) -> URL:
    given = dict(url.normalized_query)
    hosts, ports = given.pop("host", ()), given.pop("port", ())
    query = dict(_parameter(name, values) for name, values in given.items())
    if len(query) < len(given):
        raise ValueError("gives both ssl and sslmode")
    url = url.set(query=query, port=_port(ports) or url.port)
    return _with_hosts(url, hosts) if hosts else url


def _parameter(name: str, values: Sequence[str]) -> tuple[str, str]:
    known = "ssl" if name == "sslmode" else name
    if known not in _PARAMETERS:
        allowed = ", ".join(["host", "port", "sslmode", *_PARAMETERS])
        raise ValueError(f"has a parameter {name!r} that the driver does not take; it takes {allowed}")
    if len(values) > 1 or not re.fullmatch(_PARAMETERS[known], values[0]):
        raise ValueError(f"must have one {name} that matches {_PARAMETERS[known]}")
    return known, values[0]


def _port(values: Sequence[str]) -> int | None:
    if not values:
        return None
    if len(values) > 1 or not re.fullmatch(r"[0-9]{1,5}", values[0]):
        raise ValueError(f"must have one number as port; {_SEVERAL_HOSTS}")
    return int(values[0])


def _with_hosts(url: URL, hosts: Sequence[str]) -> URL:
    if url.host:
        raise ValueError("names a host both before and after the question mark")
    # The path of a unix socket, or a name with or without a port.
    if not all(re.fullmatch(r"/[^,:]*|[A-Za-z0-9._-]+(:[0-9]{1,5})?", host) for host in hosts):
        raise ValueError(f"has a host that cannot be read; {_SEVERAL_HOSTS}")
    if len(hosts) > 1:
        # SQLAlchemy wants a port with each of several hosts.
        with_ports = tuple(host if ":" in host else f"{host}:{url.port or 5432}" for host in hosts)
        return url.set(query={"target_session_attrs": "read-write", **url.query, "host": with_ports})
    if hosts[0].startswith("/"):
        return url.update_query_dict({"host": hosts[0]})
    name, _, port = hosts[0].partition(":")
    return url.set(host=name, port=int(port) if port else url.port)
