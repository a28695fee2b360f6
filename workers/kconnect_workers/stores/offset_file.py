"""Offsets in one file, `offset.storage.file.filename`, for a standalone worker on an outside Kafka."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from kconnect.errors import ConfigError, ConnectError, DataError
from kconnect_workers.stores.entry_log import Apply, Entry
from kconnect_workers.stores.java_map import read_map, write_map

_KEY = "offset.storage.file.filename"


class OffsetFile:
    """An EntryLog whose entries are a file that a JVM worker reads and writes too (not both at once).

    The file is replaced as a whole and synced on each append: it is either the old one or the new one.
    """

    def __init__(self, path: Path, apply: Apply) -> None:
        self._path = path
        self._apply = apply
        self._entries: dict[bytes, bytes | None] = {}
        self._writing = asyncio.Lock()

    async def start(self) -> None:
        """ConfigError when there is a file that holds no offsets, or that cannot be read."""
        try:
            self._entries = read_map(await asyncio.to_thread(self._path.read_bytes))
        except FileNotFoundError:
            return
        except OSError as e:
            raise ConfigError(f"cannot be read: {e.strerror}", key=_KEY, value=str(self._path)) from e
        except DataError as e:
            raise ConfigError(
                f"this is no file of offsets: {e}",
                key=_KEY,
                value=str(self._path),
                suggestion="name another file, or move this one away to begin from nothing",
            ) from e
        for key, value in self._entries.items():
            self._apply(key, value)

    async def append(self, entries: Sequence[Entry]) -> None:
        async with self._writing:
            updated = self._entries | dict(entries)
            try:
                await asyncio.to_thread(_replace, self._path, write_map(updated))
            except OSError as e:
                raise ConnectError(f"offsets cannot be written to {self._path}: {e.strerror}") from e
            self._entries = updated
        for key, value in entries:
            self._apply(key, value)

    async def read_to_end(self) -> None:
        async with self._writing:
            pass

    async def stop(self) -> None:
        await self.read_to_end()


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # or the old file may be back after a power loss
    finally:
        os.close(folder)
