"""The errant record reporter: single bad records that a sink's task found itself (KIP-610)."""

from __future__ import annotations

from concurrent.futures import Future

from kconnect.record import SinkRecord, TopicPartition
from kconnect_workers.tasks.error_handling import ErrorHandler, Failure, Stage
from kconnect_workers.tasks.plugin_call import name_of
from kconnect_workers.tasks.raw_messages import RawMessages


class WorkerErrantRecordReporter:
    """An `ErrantRecordReporter` for the task's thread. `raw` has what was read, where reports are kept."""

    def __init__(self, plugin: type, errors: ErrorHandler, raw: RawMessages | None) -> None:
        self._plugin = plugin
        self._errors = errors
        self._raw = raw

    def report(self, record: SinkRecord, error: Exception) -> Future[None]:
        """ConnectError, too, when a report has to be kept and the log does not have the record any more."""
        partition = TopicPartition(record.original_topic, record.original_partition)
        offset = record.original_offset
        report = self._errors.failed(
            Failure(
                stage=Stage.TASK_PUT,
                executing_class=name_of(self._plugin),
                error=error,
                where=f"{partition}@{offset}",
                shown=repr(record),
                message=None if self._raw is None else self._raw.message(partition, offset),
            )
        )
        if report is None:
            report = Future()
            report.set_result(None)
        return report
