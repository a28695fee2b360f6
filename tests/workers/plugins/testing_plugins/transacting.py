"""A counting source that says itself where its transactions end."""

from __future__ import annotations

from collections.abc import Mapping

from kconnect.connector import ConnectorTransactionBoundaries, ExactlyOnceSupport
from kconnect.record import SourceRecord
from kconnect.source import SourceConnector
from testing_plugins.counting import CountingConfig, CountingTask


class TransactingTask(CountingTask):
    def poll(self) -> list[SourceRecord] | None:
        records = super().poll()
        context = self.context.transaction_context
        assert context is not None
        for record in records or ():
            n = record.value["n"]
            at = None if self._config.by_poll else record
            if n == self._config.abort_at:
                context.abort_transaction(at)
            elif n % self._config.commit_every == self._config.commit_every - 1:
                context.commit_transaction(at)
        return records


class TransactingSource(SourceConnector[CountingConfig]):
    task = TransactingTask

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        return ExactlyOnceSupport.SUPPORTED

    def can_define_transaction_boundaries(self, props: Mapping[str, str]) -> ConnectorTransactionBoundaries:
        return ConnectorTransactionBoundaries.SUPPORTED
