"""What went wrong, as one line and an exit code. Usage errors (2) are Typer's own."""

from dutiful.cli.client import CliError
from dutiful.errors import DutifulError, Unauthenticated

ERROR = 1
NOT_SIGNED_IN = 4

# Their text is made for the person at the terminal. By name: loading the modules only to compare would cost the
# client's commands half a second.
_TOLD = (
    "dutiful.settings.SettingsError",
    "dutiful.datafolder.DataFolderError",
    "dutiful.database.embedded.errors.EmbeddedError",
    "dutiful.database.migrate.MigrationError",
    "dutiful.database.backup.errors.BackupError",
    "dutiful.supervisor.SupervisorError",
)


def describe(error: Exception) -> tuple[str, int] | None:
    """None for a fault of ours, which deserves its traceback."""
    if isinstance(error, CliError):
        return str(error), error.exit_code
    if isinstance(error, DutifulError):
        lines = [f"{fault.pointer.strip('/')}: {fault.detail}" for fault in error.faults] or [error.detail]
        return "\n".join(lines), NOT_SIGNED_IN if isinstance(error, Unauthenticated) else ERROR
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return (str(error), ERROR) if names.intersection(_TOLD) else None
