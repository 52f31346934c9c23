"""Options that several commands for the person who runs the server have."""

from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
UserOption = Annotated[
    str | None, typer.Option(metavar="EMAIL", help="Whose; by default the first administrator's.")
]
