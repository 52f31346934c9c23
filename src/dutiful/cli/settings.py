"""`dutiful settings`: what is in force, and why."""

from dataclasses import asdict

import typer

from dutiful.cli.options import JsonOption
from dutiful.cli.output import print_json
from dutiful.cli.rows import print_rows
from dutiful.settings import describe, load_settings


def register(app: typer.Typer) -> None:
    app.command("settings")(show_settings)


def show_settings(*, as_json: JsonOption = False) -> None:
    """Show the settings in force and where each came from.

    Secrets are masked. Set them in the environment or in a file named .env.
    """
    rows = describe(load_settings())
    if as_json:
        print_json([asdict(row) for row in rows])
    else:
        print_rows(["NAME", "VALUE", "SOURCE"], [(row.name, row.value, row.source) for row in rows])
