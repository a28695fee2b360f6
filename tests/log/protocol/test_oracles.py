"""Our bytes against those of two other libraries, message by message."""

import dataclasses
import enum
import importlib
import io
import uuid
import warnings
from datetime import datetime, timedelta

from kio.serial import entity_reader, entity_writer

from kconnect.log.protocol import Message, codec, gather, responses

with warnings.catch_warnings():
    # kafka-python reads its own files by a function that Python is going to drop.
    warnings.simplefilter("ignore", DeprecationWarning)
    import kafka.protocol.admin
    import kafka.protocol.consumer
    import kafka.protocol.metadata
    import kafka.protocol.producer
    import kafka.protocol.sasl
    from kafka.protocol.api_message import ApiMessage

SEEDS = range(3)
UNKNOWN_TO_KIO = {
    "payloads.GroupMetadataKey",
    "payloads.GroupMetadataValue",
    "payloads.OffsetCommitKey",
    "payloads.OffsetCommitValue",
    "payloads.ProducerSnapshot",
    "payloads.TransactionLogKey",
    "payloads.TransactionLogValue",
}
UNKNOWN_TO_KAFKA_PYTHON = {
    "requests.ConsumerGroupDescribe",
    "requests.ConsumerGroupHeartbeat",
    "requests.GetTelemetrySubscriptions",
    "responses.ConsumerGroupDescribe",
    "responses.ConsumerGroupHeartbeat",
    "responses.GetTelemetrySubscriptions",
    "payloads.ConsumerProtocolAssignment",
    "payloads.ConsumerProtocolSubscription",
    "payloads.ControlRecordTypeSchema",
    "payloads.EndTxnMarker",
    "payloads.GroupMetadataKey",
    "payloads.GroupMetadataValue",
    "payloads.OffsetCommitKey",
    "payloads.OffsetCommitValue",
    "payloads.ProducerSnapshot",
    "payloads.TransactionLogKey",
    "payloads.TransactionLogValue",
}


def encoded(message, version):
    out = bytearray()
    cuts = []
    codec(type(message), version).write(message, out, cuts)
    return b"".join(gather(out, cuts))


def test_kio_reads_our_messages_and_writes_the_same_bytes(message, message_versions, fill):
    known = [(version, kio_class(message, version)) for version in message_versions]
    known = [(version, kio) for version, kio in known if kio is not None]
    assert bool(known) != (message.definition.name in UNKNOWN_TO_KIO)
    for version, kio in known:
        for seed in SEEDS:
            ours = fill(message, version, seed)
            data = encoded(ours, version)
            theirs, size = entity_reader(kio)(data, 0)
            assert size == len(data), version
            assert plain(theirs, version) == plain(ours, version), version
            again = io.BytesIO()
            entity_writer(kio)(again, theirs)
            assert again.getvalue() == data, version


def test_kafka_python_reads_our_messages_and_writes_the_same_bytes(message, message_versions, fill):
    theirs = kafka_python_class(message)
    assert (theirs is None) == (message.definition.name in UNKNOWN_TO_KAFKA_PYTHON)
    for version in message_versions if theirs else ():
        if version > theirs.max_version:
            break
        for seed in SEEDS:
            ours = fill(message, version, seed)
            if isinstance(ours, responses.ApiVersions):
                ours.error_code = 0  # with another one kafka-python reads it as version 0
            data = encoded(ours, version)
            read = theirs.decode(data, version=version)
            read._header = None  # encode looks for it, decode does not set it
            assert read.encode(version=version) == data, version


def kio_class(message: type[Message], version: int):
    module, _, name = message.definition.name.partition(".")
    kind = {"requests": "request", "responses": "response", "payloads": "data"}[module]
    path = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
    try:
        found = importlib.import_module(f"kio.schema.{path}.v{version}.{kind}")
    except ModuleNotFoundError:
        return None
    return getattr(found, name + {"request": "Request", "response": "Response", "data": ""}[kind])


def kafka_python_class(message: type[Message]):
    module, _, name = message.definition.name.partition(".")
    kafka_name = name + {"requests": "Request", "responses": "Response", "payloads": ""}[module]
    for package in ("admin", "consumer", "metadata", "producer", "sasl"):
        found = getattr(getattr(kafka.protocol, package), kafka_name, None)
        if isinstance(found, type) and issubclass(found, ApiMessage):
            return found
    return None


def plain(value, version):
    """Either side's values as numbers, strings, bytes and lists; structs as the list of their fields' values."""
    match value:
        case Message():
            fields = struct_fields(value)
            return [plain(getattr(value, field.name), version) for field in fields if field.exists_in(version)]
        case enum.Enum():
            return plain(value.value, version)
        case timedelta():
            return round(value.total_seconds() * 1000)
        case datetime():
            return round(value.timestamp() * 1000)
        case uuid.UUID():
            return value.bytes
        case list() | tuple():
            return [plain(item, version) for item in value]
    if dataclasses.is_dataclass(value):
        return [plain(getattr(value, field.name), version) for field in dataclasses.fields(value)]
    return value


def struct_fields(message: Message):
    """The definitions of a struct's fields; an inner struct finds them by way of the message around it."""
    module = importlib.import_module(type(message).__module__)
    whole, _, inner = type(message).__qualname__.partition(".")
    return getattr(module, whole).definition.structs[inner or whole]
