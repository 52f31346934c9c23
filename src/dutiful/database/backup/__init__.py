"""Backups: one file of pg_dump's custom format, taken in one snapshot, checked by restoring it.

- `dump`: the file, and what was in the database at that moment.
- `load`: the file into an empty database, in one transaction.
- `figures`: what is in a database, to compare the two.
- `files`: names, drafts, rotation, room on the disk.
- `programs`: which pg_dump, and how it gets to the database.
- `scratch`: a PostgreSQL for a moment, to restore into.
- `replace`: a database made beside the present one that takes its place.
"""

from dutiful.database.backup.errors import BackupError, NotEmpty

__all__ = ["BackupError", "NotEmpty"]
