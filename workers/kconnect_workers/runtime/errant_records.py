"""The errant record reporter: single bad records that a sink's task found itself (KIP-610)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

from kconnect.record import SinkRecord
from kconnect_workers.runtime.consumed_message import ConsumedMessage
from kconnect_workers.runtime.error_handling import ErrorHandler, Failure, Stage
from kconnect_workers.runtime.plugin_call import name_of


class WorkerErrantRecordReporter:
    """An `ErrantRecordReporter` for the task's thread. `reports` gets the reports that are not known to be stored.

    Dead letters are the bytes that were read: of records of the batch being put. A task that reports records later
    gets them into the log, but not into the queue."""

    def __init__(self, plugin: type, errors: ErrorHandler) -> None:
        self._plugin = plugin
        self._errors = errors
        self._batch: Sequence[ConsumedMessage] = ()

    def reading(self, batch: Sequence[ConsumedMessage]) -> None:
        """Records of this batch are put from now on."""
        self._batch = batch

    def report(self, record: SinkRecord, error: Exception) -> Future[None]:
        place = (record.original_topic, record.original_partition, record.original_offset)
        message = next((m for m in self._batch if (m.topic(), m.partition(), m.offset()) == place), None)
        report = self._errors.failed(
            Failure(
                stage=Stage.TASK_PUT,
                executing_class=name_of(self._plugin),
                error=error,
                where=f"{place[0]}-{place[1]}@{place[2]}",
                shown=repr(record),
                message=message,
            )
        )
        if report is None:
            report = Future()
            report.set_result(None)
        return report
