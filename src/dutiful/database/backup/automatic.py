"""The backup that the private PostgreSQL gets before a migration changes it."""

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from dutiful.database.backup import files
from dutiful.database.backup.archive import read_to_the_end
from dutiful.database.backup.dump import dump, sizes
from dutiful.database.backup.errors import BackupError
from dutiful.database.migrate import DatabaseState, Precaution, Say

KEEP = 3


def before_migration(engine: AsyncEngine, data_dir: Path, say: Say) -> Precaution:
    async def make(state: DatabaseState) -> None:
        folder = files.backup_folder(data_dir)
        try:
            path = await _make(engine, folder, f"before-migration-from-{state.revision}")
        except BackupError as error:
            raise BackupError(
                f"No migration was begun, for there is no backup to go back to: {str(error).rstrip('.')}. "
                "Remove the cause and start again, or back up by other means and run: dutiful db upgrade --no-backup"
            ) from error
        say(f"Backup before the migration: {path}")

    return make


async def _make(engine: AsyncEngine, folder: Path, reason: str) -> Path:
    files.make_folder(folder)
    tables, _ = await sizes(engine)
    files.check_room(folder, files.room_for(tables), "the backup")
    path = files.new_name(folder, reason)
    with files.draft(path) as part:
        await dump(engine, part)
        # Restoring it as well would keep the server from starting for twice as long.
        await read_to_the_end(part)
    files.remove_older(folder, KEEP, automatic=True)
    return path
