"""`dutiful serve`: from nothing to a server that answers, and back."""

import errno
import os
import signal
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Annotated

import typer
from pydantic import SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from dutiful import __version__, logs
from dutiful.accounts import service as accounts
from dutiful.accounts.authentication import authenticate
from dutiful.cli import instance
from dutiful.cli.client import CliError
from dutiful.cli.here import local_timezone
from dutiful.cli.loading import quick_imports
from dutiful.cli.stopping import StopRequest
from dutiful.database import migrate
from dutiful.database.backup.automatic import before_migration
from dutiful.database.embedded import EmbeddedPostgres
from dutiful.database.session import Database, Writer
from dutiful.datafolder import DataFolder, DataFolderError
from dutiful.errors import Unauthenticated
from dutiful.logs import say
from dutiful.models import Scope
from dutiful.settings import Settings, load_settings
from dutiful.supervisor import Job, Workers

_BACKLOG = 2048


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)


def serve(
    host: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Address to listen on. [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, max=65535, help="Port to listen on; 0 for any free one. [default: 8000]"
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=64, help="Number of server processes. [default: 1]")
    ] = None,
    *,
    reload: Annotated[
        bool,
        typer.Option("--reload", help="Start again when a file of the program changes, for development."),
    ] = False,
) -> None:
    """Run the server.

    Without a DATABASE_URL it runs a private PostgreSQL in its data folder.
    """
    settings = _load(host=host, port=port, workers=workers)
    logs.set_up(settings.log_level, settings.log_format)
    stop = StopRequest()
    with stop.heeded(), ExitStack() as stack:
        folder = _hold_folder(stack, settings)
        listener = stack.enter_context(_bound_socket(settings))
        say(f"Dutiful {__version__}")
        crew = _crew(stack, settings, listener, reload=reload)
        url = stack.enter_context(_database(settings, stop))
        settings = _with_secret_key(settings, folder)
        instance.run(settings, url, lambda engine: stop.end_early(_prepare(engine, settings, folder)))
        on_ready = _listen(settings, listener, folder, stop)
        if crew is None:
            _serve_here(settings, url, listener, on_ready)
        else:
            crew.run(Job(settings, url, listener.fileno()), on_ready, stop.check, reload=reload)
    say("Stopped.")


def _load(**options: object) -> Settings:
    given = {f"DUTIFUL_{name.upper()}": str(value) for name, value in options.items() if value is not None}
    return load_settings(environ={**os.environ, **given})


# --- what must be there first -----------------------------------------------------------------------------------------


def _hold_folder(stack: ExitStack, settings: Settings) -> DataFolder | None:
    """With a database elsewhere the folder only helps the command line to find this server, so it may be missing, or
    be held by a neighbour on the same database."""
    folder = DataFolder(settings.data_dir)
    try:
        folder.prepare()
        stack.enter_context(folder.hold(__version__))
    except DataFolderError:
        if settings.uses_embedded_database:
            raise
        return None
    return folder


@contextmanager
def _bound_socket(settings: Settings) -> Iterator[socket.socket]:
    """Bound, so that a port in use is told before anything else happens; it listens when there is an answer."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        raise CliError(f"DUTIFUL_HOST={settings.host} is no address of this machine.") from None
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with _clear_socket_errors(settings):
            listener.bind(address)
        yield listener


@contextmanager
def _clear_socket_errors(settings: Settings) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f"Port {settings.port} on {settings.host}"
        if error.errno == errno.EADDRINUSE:
            line = f"{where} is in use by another program. Stop that one, or choose another with --port."
        elif error.errno == errno.EACCES:
            line = f"{where} may not be used by this account. Choose one above 1023 with --port."
        elif error.errno == errno.EADDRNOTAVAIL:
            line = f"{settings.host} is no address of this machine. Choose another with --host."
        else:
            line = f"{where} cannot be used: {error.strerror}."
        raise CliError(line) from error


@contextmanager
def _database(settings: Settings, stop: StopRequest) -> Iterator[URL | str]:
    if settings.database_dsn is not None:
        yield settings.database_dsn
        return
    postgres = EmbeddedPostgres(settings.data_dir, account=settings.postgres_account, say=say)
    postgres.start(stop.check)
    try:
        postgres.supervise()
        yield postgres.url
    finally:
        postgres.stop()


def _with_secret_key(settings: Settings, folder: DataFolder | None) -> Settings:
    if settings.secret_key is not None or folder is None:
        return settings
    return settings.model_copy(update={"secret_key": SecretStr(folder.secret_key())})


async def _prepare(engine: AsyncEngine, settings: Settings, folder: DataFolder | None) -> None:
    """Tables, a first user, and a token for the person at this machine."""
    state = await migrate.inspect(engine)
    where = settings.data_dir if settings.uses_embedded_database else instance.place(make_url(engine.url))
    say(f"Database: PostgreSQL {state.server_version}, {where}")
    if not state.is_current:
        is_ours = settings.uses_embedded_database
        before = before_migration(engine, settings.data_dir, say) if is_ours else None
        await migrate.upgrade(engine, say=say, before=before)
    database = Database(engine)
    zone = local_timezone()
    is_new = await database.write(lambda session: accounts.make_first_user(session, timezone=zone))
    if settings.uses_embedded_database and folder is not None:
        await _make_owner_token(database, folder)
    elif is_new:
        say("Make a token to sign in with: dutiful token create NAME")


async def _make_owner_token(database: Database, folder: DataFolder) -> None:
    """For the command line on this machine. One that no longer works, as after a restored backup, is replaced."""
    try:
        async with database.read() as session:
            await authenticate(session, folder.read_owner_token() or "", uuid.uuid4())
    except Unauthenticated:
        folder.write_owner_token(await database.write(_new_owner_token))


async def _new_owner_token(session: Writer) -> str:
    owner = await accounts.get_first_admin(session)
    _, secret = await accounts.create_token(session, owner.id, "This machine", list(Scope))
    return secret


# --- serving ----------------------------------------------------------------------------------------------------------


def _crew(stack: ExitStack, settings: Settings, listener: socket.socket, *, reload: bool) -> Workers | None:
    """None: this process is to do the work itself."""
    if settings.workers == 1 and not reload:
        return None
    return stack.enter_context(Workers(1 if reload else settings.workers, listener))


def _serve_here(
    settings: Settings, url: URL | str, listener: socket.socket, on_ready: Callable[[], None]
) -> None:
    # Left over from another program: this process counts for itself.
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
    with quick_imports():
        # Here and not above: whoever only watches over workers need not load the application.
        from dutiful import server  # noqa: PLC0415
    server.run(settings, url, listener, on_ready)


def _listen(
    settings: Settings, listener: socket.socket, folder: DataFolder | None, stop: StopRequest
) -> Callable[[], None]:
    """What to do when the server answers."""
    with _clear_socket_errors(settings):
        # Of two servers that start at the same time, both may bind; only one may listen.
        listener.listen(_BACKLOG)
    address = _address(listener)

    def on_ready() -> None:
        if stop.is_made():
            # It came before uvicorn had its own handlers, which are in place now.
            signal.raise_signal(signal.SIGTERM)
            return
        if folder is not None:
            folder.announce(address)
        say(f"Dutiful is ready at {address}")
        _tell_systemd("READY=1")

    return on_ready


def _tell_systemd(state: str) -> None:
    """As sd_notify does. Without systemd, or under a unit of another type, there is nobody to tell."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        # @ stands for the zero byte of an abstract socket.
        notified.connect("\0" + address[1:] if address.startswith("@") else address)
        notified.sendall(state.encode())


def _address(listener: socket.socket) -> str:
    """How somebody on this machine reaches it: every network includes the loopback."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
