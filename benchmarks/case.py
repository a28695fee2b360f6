"""A comparison: the same work for ours and for the peer, a round at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sample import Sample

__all__ = ["Case", "Round", "Sides", "Size"]


@dataclass(frozen=True, slots=True)
class Size:
    """How much work a run does: the short form, or the whole by the rules of `benchmarks/README.md`."""

    full: bool

    @property
    def rounds(self) -> int:
        return 5 if self.full else 2

    def records(self, full: int) -> int:
        """`full` of the whole form, a tenth in the short one."""
        return full if self.full else full // 10


Round = Callable[[], Sample]
Sides = AbstractContextManager[Mapping[str, Round]]


@dataclass(frozen=True, slots=True)
class Case:
    """`sides` opens both systems in a folder of its own, and yields a round for each by its name.

    A side that is called `recorded` is not run: its figures were measured once with what cannot be had here.
    """

    name: str
    about: str
    sides: Callable[[Size, Path], Sides]
    # A first round that does not count: code is compiled, files are in the page cache.
    warm_up: bool = True
