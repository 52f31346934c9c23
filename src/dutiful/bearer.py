"""Secrets that whoever has them may use: tokens, invitations. Shown once, and only their hash is stored."""

import hashlib
import secrets


def new_secret(prefix: str) -> str:
    """256 random bits. The prefix says what it is, and lets secret scanners find it."""
    return prefix + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """SHA-256: of so many random bits there is nothing to guess, so nothing slower is needed."""
    return hashlib.sha256(secret.encode()).digest()
