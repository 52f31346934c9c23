"""The position in the feed of several workspaces: an opaque, URL-safe vector of their latest seqs."""

import base64
import binascii
import re
from collections.abc import Mapping

from dutiful.errors import invalid_parameter

_ENTRY = re.compile(r"([1-9][0-9]{0,18})\.([0-9]{1,19})")


def encode_cursor(positions: Mapping[int, int]) -> str:
    """From workspace id to the seq up to which everything was seen."""
    plain = "v1:" + ",".join(f"{workspace_id}.{seq}" for workspace_id, seq in sorted(positions.items()))
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> dict[int, int]:
    try:
        plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        return _parse(plain)
    except (binascii.Error, ValueError) as error:
        raise invalid_parameter("after", "is not a cursor of this feed; start again without one") from error


def _parse(plain: str) -> dict[int, int]:
    version, _, entries = plain.partition(":")
    if version != "v1":
        raise ValueError("a cursor of another version")
    positions = {}
    for entry in filter(None, entries.split(",")):
        match = _ENTRY.fullmatch(entry)
        if match is None or int(match[2]) >= 2**63 or int(match[1]) >= 2**63:
            raise ValueError("not a position")
        positions[int(match[1])] = int(match[2])
    return positions
