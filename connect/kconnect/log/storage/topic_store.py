"""All topics of the data folder: creation, change and deletion, opening and closing."""

from __future__ import annotations

import logging
import secrets
import shutil
from base64 import urlsafe_b64encode
from functools import partial
from typing import TYPE_CHECKING

from kconnect.log.storage.atomic import replace_file, sync_folder
from kconnect.log.storage.catalog import Catalog, TopicEntry
from kconnect.log.storage.checkpoint import read_offsets, write_offsets
from kconnect.log.storage.partition import Partition
from kconnect.log.storage.topic import Topic
from kconnect.log.topic_config import TopicConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from kconnect.log.storage.data_dir import DataDir
    from kconnect.log.storage.reserve import DiskReserve

_LOG = logging.getLogger(__name__)
_DELETED = "-delete"


class TopicStore:
    """The topics by name and by id. Belongs to the thread of the loop."""

    def __init__(
        self,
        data_dir: DataDir,
        on_dirty: Callable[[Partition], None],
        reserve: DiskReserve | None = None,
        defaults: Mapping[str, str] | None = None,
    ) -> None:
        self.by_name: dict[str, Topic] = {}
        self.by_id: dict[bytes, Topic] = {}
        self._data_dir = data_dir
        self._catalog = Catalog(data_dir.path / "catalog")
        self._on_dirty = on_dirty
        self._reserve = reserve
        self._defaults = defaults or {}
        self._bytes_of_deleted = 0
        self._is_open = False

    def open(self) -> None:
        """Open every partition, recovering what a crash left. Raises DataDirError, OSError."""
        marker = self._data_dir.clean_shutdown_marker
        clean = marker.exists()
        recovery_points = read_offsets(self._data_dir.recovery_checkpoint)
        log_starts = read_offsets(self._data_dir.log_start_checkpoint)
        cleaner_points = read_offsets(self._data_dir.cleaner_checkpoint)
        entries = self._catalog.load()
        epoch = 0 if clean or not entries else self._next_leader_epoch()
        self._remove_leftovers({f"{e.name}-{index}" for e in entries for index in range(e.partitions)})
        for entry in entries:
            topic = self._enter(entry)
            for partition in topic.partitions:
                key = entry.name, partition.index
                cut = partition.open(
                    recovery_point=recovery_points.get(key, 0),
                    log_start_offset=log_starts.get(key, 0),
                    clean=clean,
                    least_epoch=epoch,
                )
                partition.first_dirty_offset = cleaner_points.get(key, 0)
                if cut:
                    _LOG.warning(
                        "%s-%d: cut %d bytes of unfinished batches behind offset %d",
                        *key,
                        cut,
                        partition.log_end_offset,
                    )
                if partition.offline:
                    _LOG.error(partition.offline)
        # From here on what is written makes the last orderly end history.
        marker.unlink(missing_ok=True)
        self._is_open = True

    def _next_leader_epoch(self) -> int:
        try:
            return self._data_dir.next_leader_epoch()
        except OSError as e:
            # On a full disk the broker must come up: only then can anything be deleted.
            _LOG.warning("%s: the new leader epoch cannot be written down: %s", self._data_dir.path, e.strerror)
            return 0

    def _enter(self, entry: TopicEntry) -> Topic:
        config = TopicConfig.of(entry.configs, self._defaults)
        topic = Topic(entry.name, entry.topic_id, config, dict(entry.configs))
        for index in range(entry.partitions):
            folder = self._folder(entry.name, index)
            folder.mkdir(mode=0o700, exist_ok=True)
            topic.partitions.append(Partition(entry.name, index, folder, config, self._on_dirty, self._reserve))
        self.by_name[entry.name] = topic
        self.by_id[entry.topic_id] = topic
        return topic

    def _folder(self, topic: str, index: int) -> Path:
        return self._data_dir.path / f"{topic}-{index}"

    def _remove_leftovers(self, known: set[str]) -> None:
        for folder in self._data_dir.path.iterdir():
            is_partition = folder.is_dir() and (folder / "partition.metadata").exists()
            if folder.name.endswith(_DELETED) or (is_partition and folder.name not in known):
                shutil.rmtree(folder, ignore_errors=True)

    def partitions(self) -> Iterator[Partition]:
        """Every partition of every topic."""
        for topic in self.by_name.values():
            yield from topic.partitions

    @property
    def appended_bytes(self) -> int:
        """How much was appended since the opening, to topics that are deleted by now as well."""
        return self._bytes_of_deleted + sum(partition.appended_bytes for partition in self.partitions())

    def create(self, name: str, partitions: int, overrides: dict[str, str]) -> Topic:
        """A new topic, with a new id, that is there after a power loss too.

        The name must have been checked. Raises InvalidTopicConfigError, OSError (nothing is created then).
        """
        TopicConfig.of(overrides, self._defaults)
        topic_id = secrets.token_bytes(16)
        self._make_folders(name, topic_id, range(partitions))
        entry = TopicEntry(name=name, topic_id=topic_id, partitions=partitions, configs=overrides)
        self._catalog.put(entry)
        topic = self._enter(entry)
        for partition in topic.partitions:
            partition.open(recovery_point=0, log_start_offset=0, clean=True)
        return topic

    def add_partitions(self, topic: Topic, count: int) -> None:
        """Let `topic` have `count` partitions, more than it has. Raises OSError."""
        new = range(len(topic.partitions), count)
        self._make_folders(topic.name, topic.topic_id, new)
        self._catalog.put(self._entry(topic, partitions=count))
        for index in new:
            folder = self._folder(topic.name, index)
            partition = Partition(topic.name, index, folder, topic.config, self._on_dirty, self._reserve)
            partition.open(recovery_point=0, log_start_offset=0, clean=True)
            topic.partitions.append(partition)

    def configure(self, topic: Topic, overrides: dict[str, str]) -> None:
        """Replace the configs of `topic`. Raises InvalidTopicConfigError, OSError."""
        config = TopicConfig.of(overrides, self._defaults)
        self._catalog.put(self._entry(topic, configs=overrides))
        topic.overrides, topic.config = overrides, config
        for partition in topic.partitions:
            partition.configure(config)

    def _entry(
        self, topic: Topic, *, partitions: int | None = None, configs: dict[str, str] | None = None
    ) -> TopicEntry:
        return TopicEntry(
            name=topic.name,
            topic_id=topic.topic_id,
            partitions=len(topic.partitions) if partitions is None else partitions,
            configs=topic.overrides if configs is None else configs,
        )

    def _make_folders(self, name: str, topic_id: bytes, indexes: range) -> None:
        readable_id = urlsafe_b64encode(topic_id).rstrip(b"=").decode()
        for index in indexes:
            folder = self._folder(name, index)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            replace_file(folder / "partition.metadata", f"version: 0\ntopic_id: {readable_id}\n".encode(), sync=False)
        sync_folder(self._data_dir.path)

    def delete(self, topic: Topic) -> list[Path]:
        """Forget `topic`; returns its folders, renamed, which are to be removed. Raises OSError."""
        self._catalog.remove(topic.name)
        del self.by_name[topic.name], self.by_id[topic.topic_id]
        doomed = []
        for partition in topic.partitions:
            self._bytes_of_deleted += partition.appended_bytes
            partition.abandon()
            target = partition.folder.with_name(f"{partition.folder.name[:200]}.{secrets.token_hex(16)}{_DELETED}")
            doomed.append(partition.folder.rename(target))
            partition.wake_watchers()
        return doomed

    def recovery_points_writer(self) -> Callable[[], None]:
        """What writes down, on any thread, where the next recovery may begin as of now. It raises OSError."""
        points = {(p.topic, p.index): p.recovery_point for p in self.partitions()}
        return partial(write_offsets, self._data_dir.recovery_checkpoint, points)

    def cleaner_points_writer(self) -> Callable[[], None]:
        """What writes down, on any thread, up to where compaction has come as of now. It raises OSError."""
        points = {(p.topic, p.index): p.first_dirty_offset for p in self.partitions() if p.first_dirty_offset}
        return partial(write_offsets, self._data_dir.cleaner_checkpoint, points)

    def write_log_starts(self) -> None:
        """Write down where the partitions begin. Raises OSError."""
        starts = {(p.topic, p.index): p.log_start_offset for p in self.partitions() if p.log_start_offset}
        write_offsets(self._data_dir.log_start_checkpoint, starts)

    def close(self) -> None:
        """Give back all files; where everything is synced, mark the end as an orderly one."""
        if self._is_open:
            self._mark_end()
        for partition in self.partitions():
            partition.abandon()

    def _mark_end(self) -> None:
        orderly = all(p.offline or p.recovery_point == p.log_end_offset for p in self.partitions())
        for partition in self.partitions():
            partition.save_helpers()
        try:
            self.recovery_points_writer()()
            self.write_log_starts()
            if orderly:
                replace_file(self._data_dir.clean_shutdown_marker, b'{"version":0,"brokerEpoch":-1}', sync=True)
        except OSError as e:
            _LOG.warning(
                "%s: the end cannot be marked, the next start will recover: %s", self._data_dir.path, e.strerror
            )
