"""How answers are shown: tables for people, JSON for programs."""

from __future__ import annotations

import enum
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import msgspec
import typer


class Output(enum.StrEnum):
    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="A table to read, or JSON to work with.")]

WIDE = 10_000
"""Columns of a pipe or a file: no row is broken, so that grep and awk see it whole."""

STATE_COLORS = {
    "RUNNING": "green",
    "FAILED": "red",
    "PAUSED": "yellow",
    "STOPPED": "yellow",
    "UNASSIGNED": "magenta",
}


def print_json(value: Any) -> None:
    """One JSON document, indented."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table as wide as its text; `empty` is said when there are no rows."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.upper(), overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell), style=STATE_COLORS.get(str(cell), "")) for cell in row))
    if table.row_count == 0:
        typer.echo(empty)
    else:
        Console(width=None if sys.stdout.isatty() else WIDE).print(table)
