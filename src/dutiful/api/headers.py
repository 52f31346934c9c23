"""ETags and the headers that name them (RFC 9110)."""

import re
from typing import TypeVar

from fastapi import Response

from dutiful.errors import Versioned
from dutiful.versions import ANY, Expected

T = TypeVar("T", bound=Versioned)

_TAG = re.compile(r'(W/)?"([^"]*)"')
_TAGS = re.compile(r'\s*(W/)?"[^"]*"(\s*,\s*(W/)?"[^"]*")*\s*')


def etag(thing: Versioned) -> str:
    """Strong: it changes with every change of the representation.

    What a thing shows of another (a member the person's name) has that one's version behind the dot.
    """
    shown = getattr(thing, "shown_version", None)
    return f'"{thing.version}"' if shown is None else f'"{thing.version}.{shown}"'


def tagged(response: Response, thing: T) -> T:
    """Gives `thing` back with its ETag on the answer."""
    response.headers["ETag"] = etag(thing)
    return thing


def created(response: Response, thing: T, path: str) -> T:
    """Gives `thing` back with its ETag and Location on the answer."""
    response.headers["Location"] = path
    return tagged(response, thing)


def parse_if_match(value: str | None) -> Expected:
    """Weak tags never match (RFC 9110, 13.1.1), nor does what is no list of tags."""
    if value is None or value.strip() == "*":
        return ANY
    if not _TAGS.fullmatch(value):
        return Expected(frozenset())
    strong = [tag for weak, tag in _TAG.findall(value) if not weak]
    # Only the thing itself is going to be changed, so what it shows of others is not compared.
    versions = (re.fullmatch(r"([0-9]{1,9})(\.[0-9]{1,9})?", tag) for tag in strong)
    return Expected(frozenset(int(version[1]) for version in versions if version))


def etag_matches(if_none_match: str | None, tag: str) -> bool:
    """The weak comparison of If-None-Match."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag.removeprefix("W/").strip('"') in [
        found for _, found in _TAG.findall(if_none_match)
    ]
