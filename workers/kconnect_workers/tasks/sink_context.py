"""What a sink task asks of the framework, kept until its loop gets to it."""

from __future__ import annotations

from collections.abc import Callable

from kconnect.errors import ConnectError
from kconnect.record import TopicPartition
from kconnect.sink import ErrantRecordReporter, Offsets, PartitionLog


class WorkerSinkTaskContext:
    """A `SinkTaskContext`. For the task's thread."""

    def __init__(
        self,
        configs: dict[str, str],
        assignment: Callable[[], frozenset[TopicPartition]],
        errant_record_reporter: ErrantRecordReporter | None,
        partition_log: Callable[[TopicPartition], PartitionLog],
    ) -> None:
        self.configs = configs
        self.errant_record_reporter = errant_record_reporter
        self._assignment = assignment
        self._partition_log = partition_log
        self.paused: set[TopicPartition] = set()
        self._rewinds: dict[TopicPartition, int] = {}
        self._timeout_s: float | None = None
        self._commit_requested = False

    def assignment(self) -> frozenset[TopicPartition]:
        return self._assignment()

    def partition_log(self, partition: TopicPartition) -> PartitionLog:
        return self._partition_log(TopicPartition(*partition))

    def offset(self, offsets: Offsets) -> None:
        self._rewinds.update((TopicPartition(*partition), offset) for partition, offset in offsets.items())

    def timeout(self, timeout_ms: int) -> None:
        self._timeout_s = timeout_ms / 1000

    def pause(self, *partitions: TopicPartition) -> None:
        self._check_assigned("pause", partitions)
        self.paused.update(TopicPartition(*partition) for partition in partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._check_assigned("resume", partitions)
        self.paused.difference_update(TopicPartition(*partition) for partition in partitions)

    def request_commit(self) -> None:
        self._commit_requested = True

    def take_rewinds(self) -> dict[TopicPartition, int]:
        rewinds, self._rewinds = self._rewinds, {}
        return rewinds

    def take_timeout_s(self) -> float | None:
        timeout_s, self._timeout_s = self._timeout_s, None
        return timeout_s

    def take_commit_request(self) -> bool:
        requested, self._commit_requested = self._commit_requested, False
        return requested

    def revoke(self, partitions: frozenset[TopicPartition]) -> None:
        """These are not the task's any more."""
        self.paused -= partitions
        for partition in partitions:
            self._rewinds.pop(partition, None)

    def _check_assigned(self, verb: str, partitions: tuple[TopicPartition, ...]) -> None:
        strangers = [str(TopicPartition(*p)) for p in partitions if p not in self._assignment()]
        if strangers:
            raise ConnectError(f"cannot {verb} {', '.join(strangers)}: not assigned to this task")
