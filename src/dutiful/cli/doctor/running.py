"""The server that runs on the data folder, if one does."""

import httpx

from dutiful import __version__
from dutiful.cli.doctor.findings import Findings
from dutiful.datafolder import DataFolder, DataFolderError, RunningServer
from dutiful.settings import Settings

_RESTART = "Restart it."


def check_server(settings: Settings) -> Findings:
    found = Findings("Server")
    with found.what_fails(DataFolderError):
        server = DataFolder(settings.data_dir).running_server() if settings.data_dir.is_dir() else None
        if server is None:
            found.ok(f"None runs on {settings.data_dir}.")
        else:
            _check(found, server)
    return found


def _check(found: Findings, server: RunningServer) -> None:
    if server.url is None:
        found.warn(
            f"Process {server.pid} is still starting, or a restore is going on.", "Look again in a moment."
        )
        return
    if server.version != __version__:
        found.warn(f"It is Dutiful {server.version}, and this program {__version__}.", _RESTART)
    try:
        answer = httpx.get(f"{server.url}/readyz", timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        found.problem(
            f"{server.url} does not answer: {str(error) or type(error).__name__}",
            "Look into its log. " + _RESTART,
        )
        return
    if answer.is_success:
        found.ok(f"{server.url} is ready.")
    else:
        found.problem(f"{server.url} is not ready: it answers {answer.status_code}.", "Look into its log.")
