"""A connection to the one of several hosts that takes writes, whatever has become of the others."""

from contextlib import suppress
from typing import Any

import asyncpg  # type: ignore[import-untyped]

_DEFAULT_TIMEOUT = 60.0

Place = tuple[str | None, int | None]

# Of each list of hosts the one that took writes last. While another is silent, only the first connections wait for it;
# and one that comes back as if nothing had happened does not win them over from the one that was promoted.
_took_writes: dict[tuple[Place, ...], Place] = {}


class Connection(asyncpg.Connection):  # type: ignore[misc]
    __slots__ = ()

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's own
        """To part from a server that is gone already is no failure. asyncpg has let go of the socket by then."""
        with suppress(OSError):
            await super().close(timeout=timeout)


async def connect(*arguments: Any, **parameters: Any) -> asyncpg.Connection:
    """As asyncpg, which lets the hosts share one time limit: one that was switched off, to which every packet is lost,
    uses it up, and the others are never asked. And an OSError if none of them takes writes, as if none were there."""
    parameters["connection_class"] = Connection
    if "target_session_attrs" not in parameters:
        return await asyncpg.connect(*arguments, **parameters)
    places = _places(parameters)
    limit = parameters.get("timeout", _DEFAULT_TIMEOUT) / len(places)
    failures = []
    for place in sorted(places, key=lambda place: place != _took_writes.get(places)):
        host, port = place
        try:
            connection = await asyncpg.connect(
                *arguments, **{**parameters, "host": host, "port": port, "timeout": limit}
            )
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched) as error:
            failures.append(f"{host}: {_reason(error)}")
        else:
            _took_writes[places] = place
            return connection
    raise ConnectionError("none takes writes now (" + "; ".join(failures) + ")")


def _places(parameters: dict[str, Any]) -> tuple[Place, ...]:
    host, port = parameters.get("host"), parameters.get("port")
    if isinstance(host, list):
        return tuple(zip(host, port or [None] * len(host), strict=True))
    return ((host, port),)


def _reason(error: Exception) -> str:
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "a standby, or read-only"
    if isinstance(error, TimeoutError):
        return "does not answer"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or repr(error)
