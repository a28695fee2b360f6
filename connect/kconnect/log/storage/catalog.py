"""Which topics there are: one small file per topic, the truth about its id, partitions and configs.

A partition folder without its topic's file is a leftover, of a creation that never ended or of a deletion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from kconnect.log.errors import DataDirError
from kconnect.log.storage.atomic import replace_file, sync_folder

if TYPE_CHECKING:
    from pathlib import Path


class TopicEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalog keeps of a topic; `configs` are those that differ from the defaults."""

    name: str
    topic_id: bytes
    partitions: int
    configs: dict[str, str] = {}


class Catalog:
    """The topic files under `folder`. What a write returned from survives a power loss."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> list[TopicEntry]:
        """All topics, by name. Raises DataDirError where a file cannot be read."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        entries = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                entries.append(msgspec.json.decode(path.read_bytes(), type=TopicEntry))
            except (msgspec.DecodeError, OSError) as e:
                raise DataDirError(f"{path} cannot be read ({e}); restore it from a backup") from e
        return entries

    def put(self, entry: TopicEntry) -> None:
        """Add or replace a topic. Raises OSError."""
        replace_file(self._path(entry.name), msgspec.json.encode(entry), sync=True)

    def remove(self, name: str) -> None:
        """Forget a topic. Raises OSError."""
        self._path(name).unlink()
        sync_folder(self._folder)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
