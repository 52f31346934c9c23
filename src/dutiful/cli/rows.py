"""Plain tables for the commands of the person who runs the server."""

import sys
from collections.abc import Sequence

from dutiful.cli.output import Cell, Column, look_of, print_lines, table
from dutiful.plain import one_line


def print_rows(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        columns = [Column(heading, len(heading)) for heading in headings]
        cells = [[Cell(one_line(text)) for text in row] for row in rows]
        print_lines(table(columns, cells, look_of(sys.stdout)))
