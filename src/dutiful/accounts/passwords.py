"""Passwords: argon2id with OWASP's parameters. Call it outside any transaction: it takes 20 ms and 19 MiB."""

import re
import unicodedata

from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dutiful.accounts.common_passwords import is_common, is_made_of
from dutiful.errors import Invalid

SHORTEST = 8
LONGEST = 256

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# More at a time would be slower, and a crowd at the door must not take the memory.
_AT_A_TIME = CapacityLimiter(2)
# Of random bits that nobody kept. Whoever has no password is checked against it, so that it takes as long.
_NOBODYS_HASH = (
    "$argon2id$v=19$m=19456,t=2,p=1$xBwB1ddRCK4uXpv8jx1BbA$CARf8QSBQ525ADi1XkJf6mwx3N4qpaUF3EyIgjxsB6k"
)


async def hash_password(password: str, *about: str | None) -> str:
    """Refuses what `check_password` refuses."""
    check_password(password, *about)
    return await hash_anew(password)


async def hash_anew(password: str) -> str:
    """For a password that was taken before the rules of today."""
    return await to_thread.run_sync(_HASHER.hash, _normal(password), limiter=_AT_A_TIME)


async def is_password(password: str, password_hash: str | None) -> bool:
    """Takes as long for a person without a password, of whom no password is right."""
    is_right = await to_thread.run_sync(
        _verify, _normal(password), password_hash or _NOBODYS_HASH, limiter=_AT_A_TIME
    )
    return is_right and password_hash is not None


def is_outdated(password_hash: str) -> bool:
    """Made with other parameters than today's: hash the password anew at the next sign-in."""
    return _HASHER.check_needs_rehash(password_hash)


def check_password(password: str, *about: str | None) -> None:
    """Length counts, composition does not (NIST SP 800-63B). `about`: the person's name and e-mail address."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(f"A password has {SHORTEST} to {LONGEST} characters.")
    if is_common(password):
        raise Invalid("This password is among the first that are tried. Take some random words instead.")
    if any(is_made_of(password, word) for text in about if text for word in _words_of(text)):
        raise Invalid("A password must not be made of the name or the e-mail address.")


def _words_of(text: str) -> list[str]:
    """An e-mail address or a name, and its longer parts."""
    return [text, *(word for word in re.split(r"[\W_]+", text) if len(word) >= 4)]


def _normal(password: str) -> str:
    # An ä may come as one character or as two, depending on the keyboard's system.
    return unicodedata.normalize("NFC", password)


def _verify(password: str, password_hash: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
