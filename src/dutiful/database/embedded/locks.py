import os
import sys
from pathlib import Path

from dutiful.database.embedded.account import Account

if sys.platform != "win32":
    import fcntl


def open_lock(path: Path, account: Account) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    # Made by root in the folder of an account that also runs Dutiful itself, it must open for both.
    if os.geteuid() == 0 and os.fstat(lock).st_uid == 0:
        os.fchown(lock, account.uid, account.gid)
    return lock


def try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def share_lock(lock: int) -> None:
    fcntl.flock(lock, fcntl.LOCK_SH)
