"""Names as they are written in a filter."""

import re

_PLAIN = re.compile(r"""(?:[^\s()&|!"“”„‟«»<>=~]|!(?!=))+""")
_NOT_PLAIN = re.compile(r"#|@|!|(?:and|or|not|no|none|me)\Z", re.IGNORECASE)


def quoted(name: str, sign: str = "") -> str:
    """In quotes if it needs them, behind a sign (`#`, `@`) or as a value."""
    if _PLAIN.fullmatch(name) and (sign or not _NOT_PLAIN.match(name)):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
