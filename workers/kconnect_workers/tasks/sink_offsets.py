"""Which offsets a sink task may commit: pure bookkeeping, without a consumer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from kconnect.record import TopicPartition

log = logging.getLogger(__name__)


class SinkOffsets:
    """Per assigned partition, what was put last, what was committed last, and where to go back to when a commit fails,
    which is the same unless the task itself has gone elsewhere; all name the next offset to read."""

    def __init__(self) -> None:
        self._assigned: set[TopicPartition] = set()
        self._current: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._back: dict[TopicPartition, int] = {}

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        return frozenset(self._assigned)

    def assign(self, partitions: Iterable[TopicPartition], committed: Mapping[TopicPartition, int]) -> None:
        """These are ours now, with what the group has committed for them, where it has."""
        for partition in partitions:
            self._assigned.add(partition)
            self._current.pop(partition, None)
            self._committed.pop(partition, None)
            self._back.pop(partition, None)
            if partition in committed:
                self.committed({partition: committed[partition]})
                self._current[partition] = committed[partition]

    def revoke(self, partitions: Iterable[TopicPartition]) -> None:
        """These are not ours any more."""
        for partition in partitions:
            self._assigned.discard(partition)
            self._current.pop(partition, None)
            self._committed.pop(partition, None)
            self._back.pop(partition, None)

    def read(self, partition: TopicPartition, offset: int) -> None:
        """The record at `offset` is the next to be put: where to go back to, if nothing is committed yet."""
        self._committed.setdefault(partition, offset)
        self._back.setdefault(partition, offset)
        self._current.setdefault(partition, offset)

    def put(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Everything before these offsets has been put."""
        self._current.update((p, offset) for p, offset in offsets.items() if p in self._assigned)

    def sought(self, partition: TopicPartition, offset: int) -> None:
        """Reading goes on at `offset`, which the task asked for, and which is to be committed: a crash must not pass
        over what the task wants again."""
        self._current[partition] = self._back[partition] = offset

    def current(self, partitions: Iterable[TopicPartition] | None = None) -> dict[TopicPartition, int]:
        """What was put, of these partitions (None: all)."""
        wanted = self._assigned if partitions is None else self._assigned.intersection(partitions)
        return {p: offset for p, offset in self._current.items() if p in wanted}

    def committable(self, offered: Mapping[TopicPartition, int] | None) -> dict[TopicPartition, int]:
        """Of what `pre_commit` returned, what is to be committed: only of assigned partitions, never beyond what was
        put, and only what is not committed yet."""
        found: dict[TopicPartition, int] = {}
        for partition, offset in (offered or {}).items():
            if partition not in self._assigned:
                log.warning("pre_commit returned an offset of %s, which is not assigned: passed over.", partition)
            elif offset > self._current.get(partition, -1):
                log.warning(
                    "pre_commit returned %d for %s, beyond what was put (%s): passed over.",
                    offset,
                    partition,
                    self._current.get(partition, "nothing"),
                )
            elif self._committed.get(partition) != offset:
                found[TopicPartition(*partition)] = offset
        return found

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        ours = {p: offset for p, offset in offsets.items() if p in self._assigned}
        self._committed |= ours
        self._back |= ours

    def rewind(self) -> dict[TopicPartition, int]:
        """Go back to what was committed last, or sought since; where reading has to go on."""
        back = {p: offset for p, offset in self._back.items() if self._current.get(p) != offset}
        self._current.update(back)
        return back

    def uncommitted(self) -> int:
        """Records that were put and not committed. May be called by any thread."""
        current = list(self._current.items())  # a copy made in one step, while the task's thread goes on changing it
        return sum(max(0, offset - self._committed.get(p, offset)) for p, offset in current)
