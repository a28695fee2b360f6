"""How far a table can be read, so that no row is passed over that is committed late."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Below it no row can appear any more. `number` is inclusive, `moment` exclusive; None: the database does not
    tell."""

    number: int | None = None
    moment: datetime.datetime | None = None


class Horizon(Protocol):
    """Up to where a table can be read without passing a row that a transaction still open may commit."""

    @property
    def waiting(self) -> bool:
        """Whether an open transaction is being waited for, so that looking again soon is worth while."""
        ...

    def look(self) -> Bound | None:
        """The bound now; None: nothing may be read yet. Ask before the rows are selected."""
        ...


@dataclass(frozen=True, slots=True)
class ClockHorizon:
    """Where the database does not tell which transactions are open: everything up to now."""

    now: Callable[[], datetime.datetime]
    waiting: bool = False

    def look(self) -> Bound | None:
        return Bound(moment=self.now())
