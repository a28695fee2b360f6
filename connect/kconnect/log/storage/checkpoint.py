"""Kafka's checkpoint files: offsets per partition, start offsets per leader epoch.

Both are text: a version line, a count, one entry per line, fields apart by blanks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.storage.atomic import replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_VERSION = "0"


def read_offsets(path: Path) -> dict[tuple[str, int], int]:
    """Offset per (topic, partition); empty where the file is missing or unreadable.

    An empty answer is always safe: it makes recovery look at more of the log, never at less.
    """
    offsets = {}
    for fields in _read_entries(path):
        if len(fields) == 3 and fields[1].isdigit() and fields[2].isdigit():
            offsets[fields[0], int(fields[1])] = int(fields[2])
    return offsets


def write_offsets(path: Path, offsets: Mapping[tuple[str, int], int]) -> None:
    """Replace the file, synced. Raises OSError."""
    lines = (f"{topic} {partition} {offset}" for (topic, partition), offset in sorted(offsets.items()))
    _write_entries(path, lines, sync=True)


class LeaderEpochs:
    """At which offset each leader epoch of one partition begins, kept in `leader-epoch-checkpoint`.

    With one node the epoch grows at a start after a crash alone: a client that saw offsets which are
    gone since can then tell, by OffsetForLeaderEpoch, that they are others now.
    """

    __slots__ = ("_entries", "_path")

    def __init__(self, folder: Path) -> None:
        self._path = folder / "leader-epoch-checkpoint"
        self._entries: list[tuple[int, int]] = []
        for fields in _read_entries(self._path):
            if len(fields) == 2 and fields[0].isdigit() and fields[1].isdigit():
                self._entries.append((int(fields[0]), int(fields[1])))
        self._entries.sort()

    @property
    def latest(self) -> int:
        """The newest epoch, -1 before the first."""
        return self._entries[-1][0] if self._entries else -1

    def assign(self, epoch: int, start_offset: int) -> None:
        """Begin `epoch` at `start_offset`; epochs that would begin there or later never were. Raises OSError."""
        self._entries = [entry for entry in self._entries if entry[1] < start_offset and entry[0] < epoch]
        self._entries.append((epoch, start_offset))
        self._write()

    def truncate_front(self, log_start_offset: int) -> None:
        """Forget what ended before `log_start_offset`; what lasts longer begins there. Raises OSError."""
        gone = [entry for entry in self._entries if entry[1] <= log_start_offset]
        if gone and gone != [(gone[-1][0], log_start_offset)]:
            self._entries = [(gone[-1][0], log_start_offset), *self._entries[len(gone) :]]
            self._write()

    def end_offset(self, epoch: int, log_end_offset: int) -> tuple[int, int]:
        """(epoch, end offset) of the newest epoch that is not above `epoch`, as OffsetForLeaderEpoch tells it.

        (-1, -1) for one that is newer than all, and where none is known. One that is older than all ends where the
        oldest known one begins.
        """
        if epoch < 0 or epoch > self.latest:
            return -1, -1
        known = max((entry[0] for entry in self._entries if entry[0] <= epoch), default=epoch)
        later = [start for entry_epoch, start in self._entries if entry_epoch > epoch]
        return known, later[0] if later else log_end_offset

    def _write(self) -> None:
        _write_entries(self._path, (f"{epoch} {start}" for epoch, start in self._entries), sync=False)


def _read_entries(path: Path) -> list[list[str]]:
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return []
    if len(lines) < 2 or lines[0].strip() != _VERSION or not lines[1].isdigit():
        return []
    return [line.split() for line in lines[2 : 2 + int(lines[1])]]


def _write_entries(path: Path, lines: Iterable[str], *, sync: bool) -> None:
    entries = list(lines)
    replace_file(path, "\n".join([_VERSION, str(len(entries)), *entries, ""]).encode(), sync=sync)
