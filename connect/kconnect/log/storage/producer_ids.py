"""Producer ids: given out once, over all starts of the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kconnect.log.errors import DataDirError
from kconnect.log.storage.atomic import replace_file

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 1000


class ProducerIds:
    """Ids in blocks, of which the file says how far they are taken; what a crash leaves of a block is lost."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._next = self._taken = int(path.read_text("ascii"))
        except FileNotFoundError:
            self._next = self._taken = 0
        except ValueError as e:
            raise DataDirError(f"{path} holds no number; write one into it that no producer id has reached") from e

    def allocate(self) -> int:
        """An id that nobody had. Raises OSError."""
        if self._next == self._taken:
            replace_file(self._path, f"{self._taken + _BLOCK}\n".encode(), sync=True)
            self._taken += _BLOCK
        self._next += 1
        return self._next - 1
