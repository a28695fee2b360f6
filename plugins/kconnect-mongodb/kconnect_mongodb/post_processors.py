"""What is done to documents before they are written: `post.processor.chain`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from bson.datetime_ms import DatetimeMS
from bson.int64 import Int64

from kconnect import TimestampType
from kconnect_mongodb.client import Document
from kconnect_mongodb.documents import SinkDocument
from kconnect_mongodb.ids import IdStrategy, id_strategy
from kconnect_mongodb.projections import allowing, blocking
from kconnect_mongodb.renames import by_mapping, by_regexp, renamed
from kconnect_mongodb.sink_config import PROCESSORS, MongoSinkConfig

KEY = "post.processor.chain"
Processor = Callable[[SinkDocument], None]
"""Changes the record's documents in place. DataError for one that cannot be processed."""


def processors_of(config: MongoSinkConfig) -> Sequence[Processor]:
    names = [config.class_of(KEY, PROCESSORS, name) for name in config.processors]
    if "DocumentIdAdder" not in names:
        names.insert(0, "DocumentIdAdder")
    chain = [_processor(name, config) for name in names]
    if config.is_time_series and config.convert_time:
        chain.append(_time_converter(config.time_field.strip()))
    return chain


def _processor(name: str, config: MongoSinkConfig) -> Processor:
    match name:
        case "DocumentIdAdder":
            return _id_adder(id_strategy(config), overwrite=config.overwrite_id)
        case "KafkaMetaAdder":
            return _add_meta_data
        case "NullFieldValueRemover":
            return _of_value(without_nulls)
        case "RenameByMapping":
            return _renamer(by_mapping(config.rename_mapping))
        case "RenameByRegExp":
            return _renamer(by_regexp(config.rename_regexp))
        case "AllowListKeyProjector" | "WhitelistKeyProjector":
            return _of_key(allowing(_paths(config.key_fields)))
        case "AllowListValueProjector" | "WhitelistValueProjector":
            return _of_value(allowing(_paths(config.value_fields)))
        case "BlockListKeyProjector" | "BlacklistKeyProjector":
            return _of_key(blocking(_paths(config.key_fields)))
    return _of_value(blocking(_paths(config.value_fields)))


def without_nulls(document: Document) -> None:
    """In place, in documents and in those of arrays too; an array keeps its nulls, which have a place."""
    for name in list(document):
        value = document[name]
        if value is None:
            del document[name]
        elif isinstance(value, dict):
            without_nulls(value)
        elif isinstance(value, list):
            for each in value:
                if isinstance(each, dict):
                    without_nulls(each)


def _id_adder(strategy: IdStrategy, *, overwrite: bool) -> Processor:
    def add(document: SinkDocument) -> None:
        value = document.value
        if value is not None and (overwrite or "_id" not in value):
            value["_id"] = strategy(document)

    return add


def _add_meta_data(document: SinkDocument) -> None:
    value, record = document.value, document.record
    if value is not None:
        value["topic-partition-offset"] = f"{record.topic}-{record.partition}-{record.offset}"
        if record.timestamp is not None and record.timestamp_type is not TimestampType.NO_TIMESTAMP_TYPE:
            value[record.timestamp_type.name] = Int64(record.timestamp)


def _renamer(rename: Callable[[str, str], str]) -> Processor:
    def process(document: SinkDocument) -> None:
        if document.key is not None:
            renamed(document.key, "key", rename)
        if document.value is not None:
            renamed(document.value, "value", rename)

    return process


def _of_key(change: Callable[[Document], None]) -> Processor:
    def process(document: SinkDocument) -> None:
        if document.key is not None:
            change(document.key)

    return process


def _of_value(change: Callable[[Document], None]) -> Processor:
    def process(document: SinkDocument) -> None:
        if document.value is not None:
            change(document.value)

    return process


def _paths(setting: str) -> list[str]:
    return [path for path in (each.strip() for each in setting.split(",")) if path]


_ZONE_ID = re.compile(r"\s?\[.*\]$")


def _time_converter(field: str) -> Processor:
    def convert(document: SinkDocument) -> None:
        value = document.value
        if value is None:
            return
        found = value.get(field)
        if isinstance(found, int | float) and not isinstance(found, bool) and found == found:
            value[field] = DatetimeMS(int(found))
        elif isinstance(found, str):
            try:
                moment = datetime.fromisoformat(_ZONE_ID.sub("", found.strip()).replace(" Z", "Z"))
            except ValueError:
                return  # left as it is, for MongoDB to judge
            value[field] = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

    return convert
