"""How answers are shown: tables for people, JSON for programs."""

from __future__ import annotations

import enum
import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from kconnect_workers.state_colors import STATE_COLORS

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


class Output(enum.StrEnum):
    TABLE = "table"
    JSON = "json"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="A table to read, or JSON to work with.")]

WIDE = 10_000
"""Columns of a pipe or a file: no row is broken, so that grep and awk see it whole."""

_COLORS = {**STATE_COLORS, "STABLE": "green", "offline": "red"}
"""On a terminal, unless NO_COLOR is set."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. On a narrow terminal one that `folds` goes on in the next line, and one that `shrinks` ends
    in `…`; others end so only where that is not enough."""

    name: str
    right: bool = False
    folds: bool = False
    shrinks: bool = False


def print_json(value: Any) -> None:
    """One JSON document, indented."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_json_line(value: Any) -> None:
    """One JSON document on a line of its own, for commands that give any number of them."""
    typer.echo(msgspec.json.encode(value).decode())


def print_table(columns: Sequence[str | Column], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table no wider than its text; `empty` is said when there are no rows. None is an empty cell. On a
    terminal, integers have their thousands apart."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    shown = [[_cell(cell, grouped=terminal) for cell in row] for row in rows]
    if not shown:
        typer.echo(empty)
    elif terminal:
        Console(highlight=False).print(_table(columns, shown))
    else:
        text = io.StringIO()
        Console(file=text, width=WIDE, color_system=None).print(_table(columns, shown))
        typer.echo("\n".join(line.rstrip() for line in text.getvalue().splitlines()))


def size(count: int | None) -> str:
    """A number of bytes as people read it; nothing for None."""
    if count is None:
        return ""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"


def _table(columns: Sequence[str | Column], rows: Sequence[Sequence[Text]]) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        wanted = Column(column) if isinstance(column, str) else column
        table.add_column(
            wanted.name.upper(),
            justify="right" if wanted.right else "left",
            no_wrap=not (wanted.folds or wanted.shrinks),
            overflow="fold" if wanted.folds else "ellipsis",
        )
    for row in rows:
        table.add_row(*row)
    return table


def _cell(value: object, *, grouped: bool) -> Text:
    from rich.text import Text

    if value is None:
        return Text("")
    text = f"{value:,}" if grouped and type(value) is int else str(value)
    return Text(text, style=_COLORS.get(text, ""))
