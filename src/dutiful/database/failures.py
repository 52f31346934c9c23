"""What a driver error means. Told by SQLSTATE and by whether the connection is gone, never by exception class:
asyncpg and SQLAlchemy give the same event different classes depending on when it strikes."""

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession

from dutiful.errors import Conflict, DutifulError, Fault, Invalid, Unavailable

UNIQUE_VIOLATION = "23505"
READ_ONLY = "25006"
DISK_FULL = ("53100", "58030")
NOT_LET_IN = ("28000", "28P01", "3D000", "55000")
BUSY = ("53300", "57014", "57P01", "57P02", "57P03", "57P05", "55P03", "25P03")


def sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def constraint_name(error: DBAPIError) -> str | None:
    """The constraint or index that refused the row, which asyncpg keeps on the original exception."""
    cause = getattr(error.orig, "__cause__", None)
    return getattr(cause, "constraint_name", None)


def is_serialization_failure(error: DBAPIError) -> bool:
    return sqlstate(error) in {"40001", "40P01"}


def is_lock_timeout(error: DBAPIError) -> bool:
    return sqlstate(error) == "55P03"


def is_disconnect(error: DBAPIError) -> bool:
    state = sqlstate(error)
    return error.connection_invalidated or (state is not None and state.startswith("08"))


async def flush(session: AsyncSession) -> None:
    """Writes what is pending, so that a clash comes to light in the verb that caused it, as an error of the domain."""
    try:
        await session.flush()
    except DBAPIError as error:
        if sqlstate(error) != UNIQUE_VIOLATION:
            raise
        raise describe_failure(error) or error from error


def describe_failure(error: BaseException) -> DutifulError | None:
    """The domain error a database failure amounts to; None for a fault of ours, which deserves a 500."""
    if isinstance(error, PoolTimeoutError):
        return Unavailable("All database connections are in use. Try again in a moment.")
    if isinstance(error, (OSError, TimeoutError)):
        return Unavailable(
            "The database cannot be reached or does not answer. Try again in a moment.", retry_after=2
        )
    if isinstance(error, DBAPIError):
        return _describe_driver_error(error)
    return None


def _describe_driver_error(error: DBAPIError) -> DutifulError | None:
    state = sqlstate(error) or ""
    if state in DISK_FULL:
        return Unavailable(
            "The database has no space left. Nothing was written.", code="disk_full", retry_after=60
        )
    if is_serialization_failure(error) or state in BUSY or state.startswith("53"):
        return Unavailable("The database is busy. Try again in a moment.")
    if is_disconnect(error) or state == READ_ONLY:
        return Unavailable("The connection to the database was lost. Try again in a moment.")
    if state in NOT_LET_IN:
        return Unavailable("The database does not let the server in. Tell whoever runs it.", retry_after=10)
    if state == UNIQUE_VIOLATION:
        return _taken(constraint_name(error) or "")
    if state in {"22021", "22P05", "22003"}:
        return Invalid("The request has a value that the database cannot store.")
    return None


def _taken(constraint: str) -> DutifulError | None:
    if constraint not in TAKEN:
        return None
    pointer, message = TAKEN[constraint]
    return Conflict(message, Fault(pointer, message, "taken"), code="taken")


# Unique indexes a user can run into: the field that is to blame, and what to tell them.
TAKEN = {
    "uq_users_email_lower": ("/email", "Somebody has this e-mail address already."),
    "uq_projects_workspace_id_name_lower": ("/name", "The workspace has a project of this name already."),
    "uq_labels_workspace_id_name_lower": ("/name", "The workspace has a label of this name already."),
    "uq_sections_project_id_name_lower": ("/name", "The project has a section of this name already."),
    "uq_tasks_workspace_id_uid": (
        "/uid",
        "The workspace has a task with this uid already, perhaps in its trash.",
    ),
    "uq_members_workspace_id_user_id": ("/user_id", "This person is a member already."),
}
