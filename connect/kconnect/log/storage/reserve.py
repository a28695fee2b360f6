"""Room on the disk that data must not take: with it offsets are committed, and transactions ended, on a full disk too.

A file holds the room. When the disk is full for what is essential, the file is emptied; data is refused from then on,
lest it take that room too, until there is enough on the disk to fill the file again.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_LOG = logging.getLogger(__name__)

_LARGEST_PART_OF_DISK = 20
_FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskReserve:
    """`size` bytes, but no more than a twentieth of the disk, held by the file at `path`. For the loop's thread.

    `is_spent` says that data has to be refused. Where the file cannot be made for another reason than a full disk,
    there is no reserve.
    """

    __slots__ = ("_path", "_size", "is_spent")

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self.is_spent = False

    def fill(self) -> bool:
        """Take the room, if it is not taken yet; whether it is now."""
        size = min(self._size, shutil.disk_usage(self._path.parent).total // _LARGEST_PART_OF_DISK)
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.fstat(fd).st_size != size:
                    _allocate(fd, size)
            finally:
                os.close(fd)
        except OSError as e:
            self._empty()
            self.is_spent = e.errno in _FULL
            _LOG.warning("no room can be reserved on the disk of %s: %s", self._path.parent, e.strerror)
            return False
        self.is_spent = False
        return True

    def refill(self) -> None:
        """Where it is spent, take the room again as soon as there is twice as much."""
        if self.is_spent:
            usage = shutil.disk_usage(self._path.parent)
            wanted = min(self._size, usage.total // _LARGEST_PART_OF_DISK)
            if usage.free >= 2 * wanted and self.fill():
                _LOG.info("there is room on the disk of %s again", self._path.parent)

    def spend(self, error: OSError) -> bool:
        """Give the room away after `error`; False where that is no help, or all is given away already."""
        if error.errno not in _FULL or self.is_spent or not self._empty():
            return False
        self.is_spent = True
        _LOG.error(
            "the disk of %s is full: data is refused, and only offsets and the ends of transactions are written; "
            "make room on it",
            self._path.parent,
        )
        return True

    def _empty(self) -> bool:
        """Whether room was given away by it."""
        try:
            held = self._path.stat().st_size
            os.truncate(self._path, 0)
        except OSError:
            return False
        return held > 0


def _allocate(fd: int, size: int) -> None:
    os.ftruncate(fd, 0)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
    else:
        written = 0
        while written < size:
            written += os.write(fd, bytes(min(size - written, 1 << 20)))
