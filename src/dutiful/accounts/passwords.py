"""Passwords: argon2id with OWASP's parameters. Call it outside any transaction: it takes 20 ms and 19 MiB."""

from anyio import CapacityLimiter, to_thread
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dutiful.errors import Invalid

SHORTEST = 8
LONGEST = 256

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# More at a time would be slower, and a crowd at the door must not take the memory.
_AT_A_TIME = CapacityLimiter(2)


async def hash_password(password: str) -> str:
    check_password(password)
    return await to_thread.run_sync(_HASHER.hash, password, limiter=_AT_A_TIME)


async def is_password(password: str, password_hash: str) -> bool:
    return await to_thread.run_sync(_verify, password, password_hash, limiter=_AT_A_TIME)


def is_outdated(password_hash: str) -> bool:
    """Made with other parameters than today's: hash the password anew at the next sign-in."""
    return _HASHER.check_needs_rehash(password_hash)


def check_password(password: str) -> None:
    """Length counts, composition does not (NIST SP 800-63B)."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(f"A password has {SHORTEST} to {LONGEST} characters.")


def _verify(password: str, password_hash: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
