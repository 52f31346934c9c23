"""The account PostgreSQL runs as: our own, or as root, which PostgreSQL refuses, an unprivileged one."""

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dutiful.database.embedded.errors import EmbeddedError

if sys.platform != "win32":
    import pwd


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    def for_popen(self) -> dict[str, Any]:
        if self.uid == os.geteuid():
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def first_closed_folder(self, path: Path) -> Path | None:
        """Which folder on the way keeps the account out."""
        for folder in [*reversed(path.parents), path]:
            found = folder.stat()
            shift = 6 if found.st_uid == self.uid else 3 if found.st_gid == self.gid else 0
            if not found.st_mode >> shift & 1:
                return folder
        return None


def find_account(requested: str | None, database_folder: Path) -> Account:
    if os.geteuid() != 0:
        return _current()
    names = [requested] if requested else ["dutiful", "postgres", "nobody"]
    # An account that is added to the system later must not take over from the one that owns the data.
    if not requested and database_folder.exists():
        names.insert(0, account_name(database_folder.stat().st_uid))
    for name in names:
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            if found.pw_uid != 0:
                return Account(found.pw_name, found.pw_uid, found.pw_gid)
    raise EmbeddedError(
        f"PostgreSQL does not run as root, and there is no unprivileged account named {' or '.join(names)}. "
        "Name one with DUTIFUL_POSTGRES_ACCOUNT."
    )


def account_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _current() -> Account:
    uid = os.geteuid()
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedError(
            f"The user id {uid} has no name on this system (/etc/passwd), and PostgreSQL needs one. Run Dutiful as "
            "an account with a name, or set DATABASE_URL to a server."
        ) from None
    return Account(found.pw_name, uid, found.pw_gid)
