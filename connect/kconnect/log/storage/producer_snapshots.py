"""The snapshot files of a partition's producers: where recovery begins to read, instead of at the log's start."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from kconnect.log.storage.atomic import replace_file
from kconnect.log.storage.producer_state import ProducerStates

if TYPE_CHECKING:
    from pathlib import Path

_KEPT = 2


class ProducerSnapshots:
    """Writes the `.snapshot` files of one partition's folder, each named by the offset behind what it stands for.

    The newest ones are kept, and those of the last checkpoints: recovery may only use one that lies before the
    point that was synced.
    """

    __slots__ = ("_checkpoints", "_folder", "_last_offset")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last_offset = 0
        # The last but one, too: its offset is the recovery point until the sync of the last one is written down.
        self._checkpoints: deque[int] = deque(maxlen=_KEPT)

    def save(self, offset: int, states: ProducerStates, *, checkpoint: bool) -> None:
        """Keep `states` for all batches before `offset`. Raises OSError."""
        if not self._checkpoints:
            self._checkpoints.extend(sorted(_offsets_in(self._folder))[-_KEPT:])
        if checkpoint and offset not in self._checkpoints:
            self._checkpoints.append(offset)
        # Without any producers too: what is not in a snapshot is looked for in all of the log.
        if offset == self._last_offset:
            return
        write_snapshot(self._folder, offset, states)
        self._last_offset = offset
        for old in sorted(_offsets_in(self._folder))[:-_KEPT]:
            if old not in self._checkpoints:
                _path(self._folder, old).unlink()


def write_snapshot(folder: Path, offset: int, states: ProducerStates) -> None:
    """Write one file. Raises OSError."""
    replace_file(_path(folder, offset), states.snapshot(), sync=False)


def load_snapshot(folder: Path, *, at_most: int) -> tuple[int, ProducerStates]:
    """(offset, states) of the newest sound snapshot not beyond `at_most`; (0, nothing known) without one.

    Snapshots beyond `at_most`, and damaged ones, are removed. Raises OSError.
    """
    for offset in sorted(_offsets_in(folder), reverse=True):
        path = _path(folder, offset)
        states = ProducerStates.from_snapshot(path.read_bytes()) if offset <= at_most else None
        if states is not None:
            return offset, states
        path.unlink()
    return 0, ProducerStates()


def _offsets_in(folder: Path) -> list[int]:
    """The offsets of the snapshots that are there, in no order."""
    return [int(path.stem) for path in folder.glob("*.snapshot") if path.stem.isdigit()]


def _path(folder: Path, offset: int) -> Path:
    return folder / f"{offset:020d}.snapshot"
