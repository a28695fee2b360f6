"""The webhook source: an HTTP server in the task."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from kconnect import ConnectError, ExactlyOnceSupport, SourceConnector, SourceRecord, SourceTask
from kconnect.record import SourceOffset, SourcePartition
from kconnect.schema import BYTES_SCHEMA, STRING_SCHEMA
from kconnect_http.inbox import Inbox
from kconnect_http.listener import Listener
from kconnect_http.webhook_config import WebhookSourceConfig
from kconnect_http.webhooks import Webhooks

if TYPE_CHECKING:
    from confluent_kafka import Message

PARTITION: Final[dict[str, str]] = {}
RECEIVED: Final = "received"
_IDLE_S: Final = 0.5
_BUSY_S: Final = 0.01
"""While senders wait, the framework has to get its turn to take acknowledgements."""

_SCHEMAS: Final = {"json": None, "string": STRING_SCHEMA, "bytes": BYTES_SCHEMA}


class WebhookSourceTask(SourceTask[WebhookSourceConfig]):
    """Records are counted, and their number is the offset: once it is stored, and the record with it, the sender is
    answered. Who gets no answer sends again, so that there are records twice, and none is lost."""

    disposable_values = True

    def start(self, config: WebhookSourceConfig) -> None:
        self._thread = threading.get_ident()
        self._config = config
        self._schema = _SCHEMAS[config.format]
        stored = self.context.offset_storage_reader.offset(PARTITION)
        self._next = 0 if stored is None else position(stored) + 1
        self._acknowledged = self._next
        """The first record that is not known to be in the log; `early` are those behind it that are."""
        self._early: set[int] = set()
        self._inbox = Inbox(config.backlog, config.backlog_bytes)
        context = config.tls_context()
        self._listener = Listener(
            Webhooks(config, self._inbox),
            config.host,
            config.port,
            context=context,
            max_connections=config.backlog + 100,
        )
        self._listener.start()

    def poll(self) -> list[SourceRecord] | None:
        if self._listener.failure is not None:
            raise ConnectError(f"the listener has ended: {self._listener.failure!r}") from self._listener.failure
        records: list[SourceRecord] = []
        for hook in self._inbox.take(self._config.batch_size, _IDLE_S, _BUSY_S):
            for topic, key, value, headers in hook.drafts:
                offset = {RECEIVED: self._next}
                key_schema = None if key is None else STRING_SCHEMA
                records.append(
                    SourceRecord(PARTITION, offset, topic, None, key_schema, key, self._schema, value, None, headers)
                )
                self._next += 1
            hook.last = self._next - 1
            self._inbox.handed_over(hook)
        return records

    def commit_record(self, record: SourceRecord, metadata: Message | None) -> None:
        if self._config.acknowledge == "synced":
            self.context.request_commit()
        elif record.source_offset is not None:
            self._stored(record.source_offset[RECEIVED])

    def commit_offsets(self, offsets: Collection[tuple[SourcePartition, SourceOffset]]) -> None:
        for _, offset in offsets:
            self._inbox.kept(offset[RECEIVED])

    def stop(self) -> None:
        """First nothing more is taken, and what was taken is answered as it is stored; the task's own thread then ends
        the listener."""
        if not hasattr(self, "_listener"):
            return
        self._inbox.close()
        if threading.get_ident() == self._thread:
            self._inbox.abandon()
            self._listener.stop()

    def _stored(self, number: int) -> None:
        """Acknowledgements of several partitions overtake one another: a hook is kept when all before it are."""
        self._early.add(number)
        while self._acknowledged in self._early:
            self._early.remove(self._acknowledged)
            self._acknowledged += 1
        self._inbox.kept(self._acknowledged - 1)


class WebhookSource(SourceConnector[WebhookSourceConfig]):
    """One task: a port is listened on once."""

    task = WebhookSourceTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return super().task_configs(min(max_tasks, 1))

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        """A sender that has not heard of its 200 sends again."""
        return ExactlyOnceSupport.UNSUPPORTED

    def alter_offsets(
        self, props: Mapping[str, str], offsets: Mapping[frozenset[tuple[str, Any]], Mapping[str, Any] | None]
    ) -> bool:
        """A count can be set; what was sent does not come again for it."""
        for partition, offset in offsets.items():
            if dict(partition) != PARTITION:
                raise ConnectError(f"the partition {dict(partition)} must be {{}}: a connector has one listener")
            if offset is not None:
                position(offset)
        return True


def position(offset: Mapping[str, Any]) -> int:
    """ConnectError for a map that is no offset of this source."""
    number = offset.get(RECEIVED)
    if not isinstance(number, int) or isinstance(number, bool) or number < 0 or len(offset) > 1:
        raise ConnectError(f'{dict(offset)} must be {{"{RECEIVED}": a count of records}}')
    return number
