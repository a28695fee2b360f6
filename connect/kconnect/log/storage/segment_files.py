"""The files of a segment, and Kafka's suffixes that say what a crash left of their replacement.

A compacted segment is written beside the old ones as `.cleaned`. Once it is synced, it becomes `.swap`: from here on it
counts, and what it replaces goes, renamed to `.deleted` and removed later. At last the suffix falls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

CLEANED = ".cleaned"
SWAP = ".swap"
DELETED = ".deleted"

_LOG = ".log"
_HELPERS = (".index", ".timeindex", ".txnindex")
# The log comes last when files are renamed: where it is, its helpers are.
_KINDS = (*_HELPERS, _LOG)


def file_of(folder: Path, base_offset: int, kind: str, suffix: str = "") -> Path:
    """The file of the segment at `base_offset`; `kind` is `.log`, `.index` …."""
    return folder / f"{base_offset:020d}{kind}{suffix}"


def rename(folder: Path, base_offset: int, suffix: str, to: str) -> None:
    """Rename the files of a segment from one suffix to another, those that are there. Raises OSError."""
    for kind in _KINDS:
        source = file_of(folder, base_offset, kind, suffix)
        if source.exists():
            source.rename(file_of(folder, base_offset, kind, to))


def remove(folder: Path, base_offset: int, suffix: str = "") -> None:
    """Remove the files of a segment, those that are there. Raises OSError."""
    for kind in reversed(_KINDS):
        file_of(folder, base_offset, kind, suffix).unlink(missing_ok=True)


def replace(folder: Path, replaced: Iterable[int], by: int) -> None:
    """Let the `.cleaned` and synced segment at `by` stand in place of those at `replaced`. Raises OSError.

    Wherever it is interrupted, `settle` makes it whole, or as if it had never begun.
    """
    rename(folder, by, CLEANED, SWAP)
    for base_offset in replaced:
        rename(folder, base_offset, "", DELETED)
    rename(folder, by, SWAP, "")


def settle(folder: Path, end_offset: Callable[[Path], int]) -> None:
    """Bring what an interrupted replacement left to its end. Raises OSError, and what `end_offset` raises.

    `end_offset` tells the offset behind the last batch of a log file.
    """
    for path in [*folder.glob(f"*{CLEANED}"), *folder.glob(f"*{DELETED}")]:
        path.unlink()
    for path in sorted(folder.glob(f"*{_LOG}{SWAP}")):
        first = _base_offset(path)
        end = max(end_offset(path), first + 1)
        for old in folder.glob(f"*{_LOG}"):
            if first <= _base_offset(old) < end:
                remove(folder, _base_offset(old))
        rename(folder, first, SWAP, "")
    for path in folder.glob(f"*{SWAP}"):
        path.unlink()
    for kind in _HELPERS:
        for path in folder.glob(f"*{kind}"):
            if not file_of(folder, _base_offset(path), _LOG).exists():
                path.unlink()


def _base_offset(path: Path) -> int:
    return int(path.name.partition(".")[0])
