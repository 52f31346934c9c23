"""The entry: finds the module of the command that was asked for, and loads no other."""

import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from dutiful import __version__
from dutiful.cli.failures import describe
from dutiful.cli.loading import quick_imports

# In the order of the help. Each module has `register(app)`, which adds its commands.
COMMANDS = {
    "serve": ("dutiful.cli.serve", "Run the server."),
    "add": ("dutiful.cli.tasks", "Add a task."),
    "quick": ("dutiful.cli.quick", "Add a task by one line, as you would say it."),
    "list": ("dutiful.cli.tasks", "List tasks."),
    "show": ("dutiful.cli.tasks", "Show everything about one task."),
    "edit": ("dutiful.cli.tasks", "Change a task."),
    "done": ("dutiful.cli.tasks", "Complete tasks."),
    "skip": ("dutiful.cli.tasks", "Put a task that repeats off to its next date."),
    "reopen": ("dutiful.cli.tasks", "Make done or cancelled tasks open again."),
    "delete": ("dutiful.cli.tasks", "Move tasks to the trash."),
    "undo": ("dutiful.cli.undoing", "Take back what was done last, or list it."),
    "projects": ("dutiful.cli.tasks", "List the projects."),
    "labels": ("dutiful.cli.tasks", "List the labels."),
    "import": ("dutiful.cli.importing", "Import tasks of another program."),
    "token": ("dutiful.cli.admin", "API tokens: make, list and revoke them."),
    "user": ("dutiful.cli.people", "People: add, list and change them, their passwords, their end."),
    "backup": ("dutiful.cli.backup", "Back up the database, while the server goes on."),
    "restore": ("dutiful.cli.restore", "Restore a backup into an empty database."),
    "doctor": ("dutiful.cli.doctor", "Check the installation, and say what to do."),
    "db": ("dutiful.cli.db", "The database: migrate it, look at its state."),
    "settings": ("dutiful.cli.settings", "Show the settings in force and where each came from."),
}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        _app(given)(given, prog_name="dutiful")
    except Exception as error:
        told = describe(error)
        if told is None:
            raise
        text, exit_code = told
        print(text, file=sys.stderr)
        sys.exit(exit_code)
    sys.exit(0)


def _app(arguments: Sequence[str]) -> typer.Typer:
    """The one place that imports by name: the database, the web framework and the HTTP client take half a second
    to load, and hardly a command needs all of them. The commands not asked for are only names with a help line."""
    app = typer.Typer(
        add_completion=False, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )
    app.callback()(_root)
    asked_for = next((word for word in arguments if not word.startswith("-")), "")
    wanted, _ = COMMANDS.get(asked_for, ("", ""))
    if wanted:
        with quick_imports():
            module = importlib.import_module(wanted)
        module.register(app)
    for name, (source, help_line) in COMMANDS.items():
        if source != wanted:
            app.command(name, help=help_line)(_not_loaded)
    return app


def _not_loaded() -> None:
    raise AssertionError("only the command that was asked for is run")


def _show_version(*, is_wanted: bool) -> None:
    if is_wanted:
        print(f"dutiful {__version__}")
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A task server whose word counts: what was answered is committed."""
