"""`dutiful settings`: what is in force, and why."""

from dataclasses import asdict
from typing import Annotated

import typer

from dutiful.cli.output import Cell, Column, look_of, print_json, print_table
from dutiful.settings import describe, load_settings

