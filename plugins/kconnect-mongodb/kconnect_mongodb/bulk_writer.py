"""Batches of records as bulk writes, and what MongoDB answers to each write."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import sleep
from typing import Any, Final

import bson
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, PyMongoError

from kconnect import ConnectError, DataError, SinkRecord
from kconnect_mongodb.client import CODEC, Client, Document
from kconnect_mongodb.connection_config import Address
from kconnect_mongodb.failures import DUPLICATE_KEY, of_code, translated, translating, write_failures
from kconnect_mongodb.namespaces import Namespace
from kconnect_mongodb.sink_config import MongoSinkConfig
from kconnect_mongodb.time_series import ensure_time_series
from kconnect_mongodb.topic_plan import TopicPlan
from kconnect_mongodb.writes import Write

log = logging.getLogger(__name__)

Report = Callable[[SinkRecord, DataError, MongoSinkConfig], None]
"""Told of a record that cannot be written. Raises ConnectError where that is not tolerated."""

_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
"""What a document may take where the server does not say."""
_MOST_BYTES: Final = 32 * 1024 * 1024
"""Of documents that are encoded at a time."""


@dataclass(slots=True)
class _Group:
    """Records of one topic for one collection, in their order; those that are done with are taken out."""

    namespace: Namespace
    plan: TopicPlan
    items: list[tuple[SinkRecord, Write]] = field(default_factory=list)
    size: int = 0


@dataclass(slots=True)
class _Batch:
    """What was put, and how far that has come. Put again after an error it goes on there, with the same `_id`s."""

    places: Sequence[tuple[str, int, int]]
    next: int = 0
    group: _Group | None = None
    ahead: tuple[SinkRecord, TopicPlan, Namespace, Write] | None = None


class BulkWriter:
    """Belongs to the task's thread."""

    def __init__(self, config: MongoSinkConfig, client: Client, address: Address, report: Report) -> None:
        self._config = config
        self._client = client
        self._address = address
        self._report = report
        self._plans: dict[str, TopicPlan] = {}
        self._batch: _Batch | None = None
        self._largest: int | None = None
        self._time_series: set[Namespace] = set()
        self._written_groups = 0

    def write(self, records: Sequence[SinkRecord]) -> None:
        """When this returns, every record is written or reported. After a RetriableError the same records may be given
        again."""
        places = [(record.original_topic, record.original_partition, record.original_offset) for record in records]
        batch = self._batch
        if batch is None or batch.places != places:
            batch = self._batch = _Batch(places)
        while batch.group or batch.ahead or batch.next < len(records):
            if batch.group is None:
                batch.group = self._next_group(batch, records)
            if batch.group is not None:
                self._write_group(batch.group)
                self._limit_rate(batch.group.plan.config)
                batch.group = None
        self._batch = None

    def forget(self) -> None:
        """Records may come from another offset on."""
        self._batch = None

    def plan_of(self, topic: str) -> TopicPlan:
        plan = self._plans.get(topic)
        if plan is None:
            plan = self._plans[topic] = TopicPlan(self._config, topic)
        return plan

    def _next_group(self, batch: _Batch, records: Sequence[SinkRecord]) -> _Group | None:
        """None when nothing is left to write."""
        group: _Group | None = None
        while batch.ahead or batch.next < len(records):
            if batch.ahead is None:
                record = records[batch.next]
                plan = self.plan_of(record.topic)
                prepared = self._prepared(record, plan)
                batch.next += 1
                if prepared is None:
                    continue
                batch.ahead = (record, plan, *prepared)
            record, plan, namespace, write = batch.ahead
            if group is None:
                group = _Group(namespace, plan)
            most = plan.config.max_batch_size
            if group.items and (
                group.plan is not plan
                or group.namespace != namespace
                or (most and len(group.items) >= most)
                or group.size + write.size > _MOST_BYTES
            ):
                return group
            group.items.append((record, write))
            group.size += write.size
            batch.ahead = None
        return group

    def _prepared(self, record: SinkRecord, plan: TopicPlan) -> tuple[Namespace, Write] | None:
        try:
            prepared = plan.prepared(record)
            if prepared is not None and prepared[1].size > self._limit():
                raise DataError(
                    f"the document takes {prepared[1].size} bytes, and MongoDB has documents of {self._limit()} at most"
                )
        except DataError as error:
            self._report(record, _placed(record, error), plan.config)
            return None
        return prepared

    def _limit(self) -> int:
        if self._largest is None:
            with translating(self._address):
                self._largest = int(self._client.admin.command("hello").get("maxBsonObjectSize", _DOCUMENT_BYTES))
        return self._largest

    def _write_group(self, group: _Group) -> None:
        config = group.plan.config
        with translating(self._address):
            collection: Collection[Document] = self._client.get_database(
                group.namespace.database, codec_options=CODEC
            ).get_collection(group.namespace.collection)
            if config.is_time_series and group.namespace not in self._time_series:
                ensure_time_series(self._client, group.namespace, config)
                self._time_series.add(group.namespace)
        while group.items:
            try:
                collection.bulk_write([write.operation for _, write in group.items], ordered=config.ordered)
            except BulkWriteError as error:
                self._judge(group, collection, error.details or {})
            except PyMongoError as error:
                # Not the fault of single documents, which were looked at before.
                failure = translated(error, self._address)
                raise ConnectError(str(failure)) if isinstance(failure, DataError) else failure from error
            else:
                group.items.clear()

    def _judge(self, group: _Group, collection: Collection[Document], details: Mapping[str, Any]) -> None:
        """Report the records that were refused, and leave in `group` those that are still to be written. Raises what
        failed for another reason than its record."""
        failures, items = write_failures(details), group.items
        refused = {int(failure["index"]) for failure in failures}
        left = items[min(refused) + 1 :] if group.plan.config.ordered and refused else []
        for place, failure in enumerate(failures):
            record, write = items[int(failure["index"])]
            error = of_code(failure.get("code"), str(failure.get("errmsg", "")), self._address)
            if not isinstance(error, DataError):
                group.items = [items[int(each["index"])] for each in failures[place:]] + left
                raise error
            if not (failure.get("code") == DUPLICATE_KEY and self._is_there(collection, write)):
                self._report(record, _placed(record, error), group.plan.config)
        concerns = details.get("writeConcernErrors", ())
        group.items = [item for n, item in enumerate(items) if n not in refused] if concerns else left
        self._check_concerns(concerns)

    def _is_there(self, collection: Collection[Document], write: Write) -> bool:
        """Whether an insert failed because it was done before: by a try whose answer was lost, or before a crash."""
        if write.inserted is None or "_id" not in write.inserted:
            return False
        with translating(self._address):
            found = collection.find_one({"_id": write.inserted["_id"]})
        return found is not None and found == _decoded(write)

    def _check_concerns(self, errors: Iterable[Mapping[str, Any]]) -> None:
        for error in errors:
            text = f"it is written, but not as safely as the write concern wants: {error.get('errmsg', '')}"
            failure = of_code(error.get("code"), text, self._address)
            raise ConnectError(str(failure)) if isinstance(failure, DataError) else failure

    def _limit_rate(self, config: MongoSinkConfig) -> None:
        if config.rate_every and config.rate_timeout:
            self._written_groups += 1
            if self._written_groups >= config.rate_every:
                self._written_groups = 0
                sleep(config.rate_timeout / 1000)


def _decoded(write: Write) -> Document:
    assert write.inserted is not None
    return bson.decode(write.inserted.raw, CODEC)


def _placed(record: SinkRecord, error: DataError) -> DataError:
    place = f"{record.original_topic}-{record.original_partition}@{record.original_offset}"
    placed = DataError(f"{place}: {error}")
    placed.__cause__ = error
    return placed
