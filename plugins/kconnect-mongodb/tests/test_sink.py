from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import bson
import pytest
from bson.binary import Binary, UuidRepresentation
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.objectid import ObjectId
from pymongo.database import Database

from kconnect import ConnectError, DataError, RetriableError, SchemaBuilder, SinkRecord, TimestampType, TopicPartition
from kconnect.schema import (
    BYTES_SCHEMA,
    DATE_SCHEMA,
    FLOAT32_SCHEMA,
    INT8_SCHEMA,
    INT32_SCHEMA,
    INT64_SCHEMA,
    STRING_SCHEMA,
    TIME_SCHEMA,
    TIMESTAMP_SCHEMA,
    Schema,
    Type,
)
from kconnect.testing.conformance import ReportingSinkConformance, validation_errors
from kconnect.testing.sinks import SinkTaskHarness
from kconnect_mongodb.client import CODEC
from kconnect_mongodb.documents import document_of
from kconnect_mongodb.sink import MongoSink
from kconnect_mongodb.topic_plan import TopicPlan
from services.mongodb import mongo_client, running_mongodb

Shop = Database[dict[str, Any]]
ROOT = "com.mongodb.kafka.connect.sink."
IDS = f"{ROOT}processor.id.strategy."
MODELS = f"{ROOT}writemodel.strategy."
ORDER = SchemaBuilder.struct().field("_id", INT64_SCHEMA).field("name", STRING_SCHEMA).build()


def sink(url: str, *, reporting: bool = False, **more: str) -> SinkTaskHarness:
    given = {name.replace("_", "."): value for name, value in more.items()}
    props = {"name": "test", "connection.uri": url, "database": "shop", "topics": "orders", **given}
    return SinkTaskHarness(MongoSink, props, reporting=reporting)


def found(shop: Shop, collection: str = "orders") -> list[dict[str, Any]]:
    return list(shop[collection].find().sort("_id", 1))


MODES = {
    "replaced by id": {},
    "inserted": {"writemodel.strategy": f"{MODELS}InsertOneDefaultStrategy"},
    "updated, unordered": {"writemodel.strategy": f"{MODELS}UpdateOneDefaultStrategy", "bulk.write.ordered": "false"},
}


class TestMongoSink(ReportingSinkConformance):
    connector_class = MongoSink

    @pytest.fixture(params=MODES)
    def props(self, request: pytest.FixtureRequest, shop: Shop, mongodb_url: str) -> dict[str, str]:
        self.shop = shop
        given = {"name": "test", "connection.uri": mongodb_url, "database": "shop", "topics": "orders"}
        return given | MODES[request.param]

    def records(self, run: SinkTaskHarness) -> Sequence[SinkRecord]:
        return [run.record({"_id": n, "name": "x"}, ORDER) for n in range(3)]

    def bad_record(self, run: SinkTaskHarness) -> SinkRecord:
        return run.record("no document")

    def written(self, props: dict[str, str]) -> int:
        return self.shop.orders.count_documents({})

    def writes_once(self, props: dict[str, str]) -> bool:
        return True  # by their ids

    def test_passwords_are_not_shown(self, props: dict[str, str]) -> None:
        names = [key.name for key in MongoSink.config_def().keys.values() if key.type.name == "PASSWORD"]
        given = dict.fromkeys(names, "tops3cret") | {"connection.uri": "mongodb://u:tops3cret@h/"}
        assert "tops3cret" not in repr(MongoSink.config_class.parse(props | given))
        for uri in ("mongodb://u:tops3cret/x@h/", "mongodb://u:a/tops3cret@h.x/", "http://u:tops3cret@h"):
            [errors] = validation_errors(MongoSink, props | {"connection.uri": uri}).values()
            assert "tops3cret" not in str(errors)


def test_structs_become_documents_of_mongo_kafkas_types(shop: Shop, mongodb_url: str) -> None:
    fields = {
        "_id": INT32_SCHEMA,
        "byte": INT8_SCHEMA,
        "long": INT64_SCHEMA,
        "float": FLOAT32_SCHEMA,
        "bytes": BYTES_SCHEMA,
        "day": DATE_SCHEMA,
        "clock": TIME_SCHEMA,
        "at": TIMESTAMP_SCHEMA,
        "by name": Schema(Type.MAP, key_schema=STRING_SCHEMA, value_schema=INT64_SCHEMA),
        "absent": STRING_SCHEMA.replace(optional=True),
        "preset": STRING_SCHEMA.replace(optional=True, default="d"),
    }
    value = {
        "_id": 1,
        "byte": 2,
        "long": 3,
        "float": 1.5,
        "bytes": b"\x00\xff",
        "day": date(2026, 1, 2),
        "clock": time(3, 4, 5),
        "at": datetime(2026, 1, 2, 3, 4, 5, 678000, UTC),
        "by name": {"a": 1},
    }
    with sink(mongodb_url) as run:
        run.put([run.record(value, Schema(Type.STRUCT, fields=fields))])
    [document] = found(shop)
    assert document == {
        "_id": 1,
        "byte": 2,
        "long": 3,
        "float": 1.5,
        "bytes": b"\x00\xff",
        "day": datetime(2026, 1, 2, tzinfo=UTC),
        "clock": datetime(1970, 1, 1, 3, 4, 5, tzinfo=UTC),
        "at": datetime(2026, 1, 2, 3, 4, 5, 678000, UTC),
        "by name": {"a": 1},
        "absent": None,
        "preset": "d",
    }
    assert list(document) == list(fields)
    assert [type(document[name]) for name in ("byte", "long")] == [int, Int64]


def test_decimals_become_decimal128() -> None:
    """As BSON has them: FerretDB hangs up on Decimal128."""
    decimal = Schema(Type.BYTES, name="org.apache.kafka.connect.data.Decimal", version=1, parameters={"scale": "2"})
    many = Schema(Type.STRUCT, fields={"one": decimal, "many": Schema(Type.ARRAY, value_schema=decimal)})
    value = {"one": Decimal("1.50"), "many": [Decimal("-0.01"), Decimal("1E+3")]}
    expected = {"one": Decimal128("1.50"), "many": [Decimal128("-0.01"), Decimal128("1E+3")]}
    assert bson.decode(bson.encode(document_of(many, value, "value"))) == expected
    assert bson.decode(bson.encode(document_of(None, value, "value"))) == expected


def test_values_are_maps_json_text_or_bson(shop: Shop, mongodb_url: str) -> None:
    oid = ObjectId()
    with sink(mongodb_url) as run:
        run.put(
            [
                run.record({"_id": 1, "n": 5, "at": datetime(2026, 1, 2, tzinfo=UTC), "of": [{"d": 1.5}]}),
                run.record('{"_id": 2, "n": 5, "text": "ü"}'),
                run.record(f'{{"_id": 3, "oid": {{"$oid": "{oid}"}}, "long": {{"$numberLong": "7"}}}}'),
                run.record(bson.encode({"_id": 4, "oid": oid, "uuid": Binary(b"x" * 16, 4)})),
            ]
        )
    documents = found(shop)
    assert documents == [
        {"_id": 1, "n": 5, "at": datetime(2026, 1, 2, tzinfo=UTC), "of": [{"d": 1.5}]},
        {"_id": 2, "n": 5, "text": "ü"},
        {"_id": 3, "oid": oid, "long": 7},
        {"_id": 4, "oid": oid, "uuid": Binary(b"x" * 16, 4)},
    ]
    assert [type(documents[at]["n"]) for at in (0, 1)] == [Int64, int]  # Java's JSON converter makes longs of maps
    assert type(documents[2]["long"]) is Int64


U = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
UUID = Binary.from_uuid(uuid.UUID(U), UuidRepresentation.STANDARD)
OVERWRITE = {"document.id.strategy.overwrite.existing": "true"}
IDENTITIES: list[tuple[str, dict[str, str], Any, Any, Any]] = [
    ("FullKeyStrategy", {}, {"a": 1, "b": 2}, {"v": 1}, {"a": 1, "b": 2}),
    ("ProvidedInKeyStrategy", {}, {"_id": 7}, {"v": 1}, 7),
    ("ProvidedInValueStrategy", {}, None, {"_id": 8}, 8),
    ("KafkaMetaDataStrategy", {}, None, {"v": 1}, "orders#0#0"),
    ("UuidProvidedInKeyStrategy", {}, {"_id": U}, {"v": 1}, UUID),
    ("UuidProvidedInValueStrategy", OVERWRITE, None, {"_id": U.replace("-", "")}, UUID),
    ("PartialKeyStrategy", {"document.id.strategy.partial.key.projection.type": "AllowList",
     "document.id.strategy.partial.key.projection.list": "a,n.x"}, {"a": 1, "b": 2, "n": {"x": 1, "y": 2}}, {"v": 1},
     {"a": 1, "n": {"x": 1}}),
    ("PartialKeyStrategy", {"key.projection.type": "blocklist", "key.projection.list": "b"}, {"a": 1, "b": 2}, {"v": 1},
     {"a": 1}),
    ("PartialValueStrategy", {"document.id.strategy.partial.value.projection.type": "AllowList",
     "document.id.strategy.partial.value.projection.list": "v"}, None, {"v": 1, "w": 2}, {"v": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("strategy", "props", "key", "value", "expected"), IDENTITIES)
@pytest.mark.parametrize("prefix", [IDS, ""], ids=["full name", "short name"])
def test_ids_come_from_where_the_strategy_says(
    shop: Shop, mongodb_url: str, strategy: str, props: dict[str, str], key: Any, value: Any, expected: Any, prefix: str
) -> None:
    with sink(mongodb_url, **{"document.id.strategy": prefix + strategy, **props}) as run:
        run.put([run.record(value, key=key)])
    [document] = found(shop)
    assert document["_id"] == expected
    assert {name: each for name, each in document.items() if name != "_id"} == {
        name: each for name, each in value.items() if name != "_id"
    }


@pytest.mark.parametrize(
    ("props", "kind"),
    [
        ({}, ObjectId),
        ({"document.id.strategy": f"{IDS}UuidStrategy"}, str),
        ({"document.id.strategy": "UuidStrategy", "document.id.strategy.uuid.format": "Binary"}, Binary),
    ],
)
def test_ids_may_be_made_up(shop: Shop, mongodb_url: str, props: dict[str, str], kind: type) -> None:
    with sink(mongodb_url, **props) as run:
        run.put([run.record({"v": n}) for n in range(2)])
    assert [type(document["_id"]) for document in found(shop)] == [kind, kind]


def test_an_id_that_is_there_stays_unless_it_is_to_be_overwritten(shop: Shop, mongodb_url: str) -> None:
    given = {"document.id.strategy": "ProvidedInKeyStrategy"}
    with sink(mongodb_url, **given) as run:
        run.put([run.record({"_id": 1}, key={"_id": 2})])
    with sink(mongodb_url, **given, **{"document.id.strategy.overwrite.existing": "true"}) as run:
        run.put([run.record({"_id": 3}, key={"_id": 4})])
    assert [document["_id"] for document in found(shop)] == [1, 4]


def test_tombstones_delete_by_the_key_and_order_is_kept(shop: Shop, mongodb_url: str) -> None:
    props = {"document.id.strategy": "ProvidedInKeyStrategy", "delete.on.null.values": "true"}
    with sink(mongodb_url, **props) as run:
        run.put(
            [run.record(value, key={"_id": n}) for n, value in ((1, {"v": 1}), (1, None), (2, {"v": 1}), (2, {"v": 2}))]
        )
        run.put([run.record(value, key={"_id": n}) for n, value in ((3, None), (3, {"v": 3}))])
    assert found(shop) == [{"_id": 2, "v": 2}, {"_id": 3, "v": 3}]


BUSINESS = {
    "document.id.strategy": f"{IDS}PartialValueStrategy",
    "document.id.strategy.partial.value.projection.type": "AllowList",
    "document.id.strategy.partial.value.projection.list": "email,of.shop",
}


def test_business_keys_find_documents_that_keep_their_ids(shop: Shop, mongodb_url: str) -> None:
    shop.orders.insert_one({"_id": 1, "email": "a@b", "of": {"shop": 7}, "v": "old"})
    with sink(mongodb_url, **BUSINESS, **{"writemodel.strategy": f"{MODELS}ReplaceOneBusinessKeyStrategy"}) as run:
        run.put([run.record({"email": "a@b", "of": {"shop": 7}, "v": "new"})])
        run.put([run.record({"email": "c@d", "of": {"shop": 7}, "v": "other"})])
    replaced, inserted = found(shop)
    assert replaced == {"_id": 1, "email": "a@b", "of": {"shop": 7}, "v": "new"}
    assert isinstance(inserted["_id"], ObjectId)
    with sink(mongodb_url, **BUSINESS, **{"writemodel.strategy": "UpdateOneBusinessKeyTimestampStrategy"}) as run:
        run.put([run.record({"email": "a@b", "of": {"shop": 7}, "w": 1})])
    updated = shop.orders.find_one({"_id": 1})
    assert updated is not None
    assert (updated["v"], updated["w"], "_insertedTS" in updated) == ("new", 1, False)
    assert isinstance(updated["_modifiedTS"], datetime)
    with sink(mongodb_url, **BUSINESS, **{"writemodel.strategy": "DeleteOneBusinessKeyStrategy"}) as run:
        run.put([run.record({"email": "a@b", "of": {"shop": 7}})])
    assert [document["email"] for document in found(shop)] == ["c@d"]


def test_updates_leave_other_fields_and_note_times(shop: Shop, mongodb_url: str) -> None:
    shop.orders.insert_one({"_id": 1, "kept": True})
    with sink(mongodb_url, **{"writemodel.strategy": f"{MODELS}UpdateOneTimestampsStrategy"}) as run:
        run.put([run.record({"_id": 1, "v": 1}), run.record({"_id": 2, "v": 2})])
    old, new = found(shop)
    assert (old["kept"], old["v"], "_insertedTS" in old) == (True, 1, False)
    assert new["_insertedTS"] == new["_modifiedTS"]


def test_records_may_say_which_documents_to_delete(shop: Shop, mongodb_url: str) -> None:
    shop.orders.insert_many([{"_id": 1}, {"_id": {"a": 1}}, {"_id": 3}])
    with sink(mongodb_url, **{"writemodel.strategy": "DeleteOneDefaultStrategy"}) as run:
        run.put([run.record({"x": 1}, key={"_id": 1}), run.record({"x": 1}, key={"a": 1})])
    assert [document["_id"] for document in found(shop)] == [3]
    partial = {"document.id.strategy": "PartialKeyStrategy", "key.projection.type": "AllowList"}
    shop.orders.insert_one({"_id": 4, "n": {"x": 1}})
    with sink(
        mongodb_url,
        **partial,
        **{
            "key.projection.list": "n.x",
            "delete.on.null.values": "true",
            "delete.writemodel.strategy": f"{MODELS}DeleteOneTombstoneBusinessKeyStrategy",
        },
    ) as run:
        run.put([run.record(None, key={"n": {"x": 1}, "y": 1})])
    assert [document["_id"] for document in found(shop)] == [3]


def test_post_processors_work_in_their_order(shop: Shop, mongodb_url: str) -> None:
    chain = [f"{ROOT}processor.{name}" for name in ("DocumentIdAdder", "BlockListValueProjector", "KafkaMetaAdder")]
    chain += [f"{ROOT}processor.field.renaming.{name}" for name in ("RenameByMapping", "RenameByRegExp")]
    chain.append(f"{ROOT}processor.NullFieldValueRemover")
    props = {
        "post.processor.chain": ",".join(chain),
        "document.id.strategy": "ProvidedInValueStrategy",
        "value.projection.list": "secret,in.secret,all.**",
        "field.renamer.mapping": '[{"oldName": "value.a", "newName": "b"}, {"oldName": "value.in.c", "newName": "d"}]',
        "field.renamer.regexp": json.dumps([{"regexp": "^value\\..*-.*", "pattern": "-", "replace": "_"}]),
    }
    with sink(mongodb_url, **props) as run:
        value = {
            "_id": 1,
            "a": 1,
            "in": {"c": 2, "secret": 1, "nothing": None},
            "secret": 3,
            "all": {"x": 1},
            "with-dash": [None, {"n": None}],
        }
        record = run.record(value)
        record.timestamp, record.timestamp_type = 17, TimestampType.CREATE_TIME
        run.put([record])
        assert value["secret"] == 3  # the record itself is not changed
    assert found(shop) == [
        {
            "_id": 1,
            "b": 1,
            "in": {"d": 2},
            "all": {},
            "with_dash": [None, {}],
            "topic_partition_offset": "orders-0-0",
            "CREATE_TIME": 17,
        }
    ]


@pytest.mark.parametrize(
    ("kind", "paths", "expected"),
    [
        ("AllowList", "a,n.x", {"a": 1, "n": {"x": 1}, "_id": 1}),
        ("AllowList", "_id,n.**", {"_id": 1, "n": {"x": 1, "y": {"z": 2}}}),
        ("AllowList", "*.y,*.y.*", {"_id": 1, "a": 1, "abc": 1, "n": {"y": {"z": 2}}, "l": [{"y": 2}]}),
        ("AllowList", "_id,ab*", {"_id": 1, "abc": 1}),
        ("AllowList", "**", {"_id": 1, "a": 1, "abc": 1, "n": {"x": 1, "y": {"z": 2}}, "l": [{"x": 1, "y": 2}]}),
        ("BlockList", "a,n.y,l.x,ab*", {"_id": 1, "n": {"x": 1}, "l": [{"y": 2}]}),
        ("BlockList", "n.*", {"_id": 1, "a": 1, "abc": 1, "n": {"y": {"z": 2}}, "l": [{"x": 1, "y": 2}]}),
        ("BlockList", "*", {"_id": 1, "n": {"x": 1, "y": {"z": 2}}}),
        ("BlockList", "n.**,l", {"_id": 1, "a": 1, "abc": 1, "n": {}}),
    ],
)
def test_value_projections(shop: Shop, mongodb_url: str, kind: str, paths: str, expected: dict[str, Any]) -> None:
    props = {
        "post.processor.chain": f"{kind}ValueProjector,DocumentIdAdder",
        "value.projection.list": paths,
        "document.id.strategy": "ProvidedInKeyStrategy",
    }
    with sink(mongodb_url, **props) as run:
        value = {"_id": 1, "a": 1, "abc": 1, "n": {"x": 1, "y": {"z": 2}}, "l": [{"x": 1, "y": 2}]}
        run.put([run.record(value, key={"_id": 1})])
    assert found(shop) == [expected]


def test_topics_have_collections_and_overrides_of_their_own(shop: Shop, mongodb_url: str) -> None:
    props = {
        "topics": "orders,shop.items,logs",
        "topic.override.shop.items.collection": "items",
        "topic.override.shop.items.document.id.strategy": "ProvidedInKeyStrategy",
        "topic.override.logs.namespace.mapper": f"{ROOT}namespace.mapping.FieldPathNamespaceMapper",
        "topic.override.logs.namespace.mapper.value.collection.field": "to.level",
    }
    with sink(mongodb_url, **props) as run:
        run.put(
            [
                run.record({"_id": 1}),
                run.record({"v": 1}, key={"_id": 2}, topic="shop.items"),
                run.record({"_id": 3, "to": {"level": "warnings"}}, topic="logs"),
                run.record({"_id": 4}, topic="logs"),
                run.record({"_id": 5}),
            ]
        )
    written = {name: [document["_id"] for document in found(shop, name)] for name in shop.list_collection_names()}
    assert written == {"orders": [1, 5], "items": [2], "warnings": [3], "logs": [4]}


def test_bulk_writes_are_as_small_as_is_asked_for(shop: Shop, mongodb_url: str) -> None:
    sent: list[int] = []
    from pymongo.collection import Collection

    original = Collection.bulk_write
    with pytest.MonkeyPatch.context() as patch, sink(mongodb_url, **{"max.batch.size": "2"}) as run:
        patch.setattr(
            Collection, "bulk_write", lambda self, ops, **more: (sent.append(len(ops)), original(self, ops, **more))[1]
        )
        run.put([run.record({"_id": n}) for n in range(5)])
    assert (sent, len(found(shop))) == ([2, 2, 1], 5)


UNFIT: list[tuple[dict[str, str], dict[str, Any], str]] = [
    ({}, {"value": 7}, "must be a struct, a map, JSON text or BSON bytes, and is of type int"),
    ({}, {"value": "[1]"}, "is no JSON document but list"),
    ({}, {"value": b"\x00"}, "is no BSON document"),
    ({}, {"value": {"n": 2**63}}, "takes more than 64 bits"),
    ({}, {"value": {"d": Decimal("1" * 35)}}, "more than the 34 digits"),
    ({}, {"value": {1: 2}}, "is no text"),
    ({}, {"value": {"a\0b": 2}}, "cannot hold it"),
    ({}, {"value": None, "key": {"a": 1}}, "delete.on.null.values=true"),
    ({}, {"value": None}, "neither key nor value"),
    ({}, {"value": {"v": "x" * (16 << 20)}}, "MongoDB has documents of 16777216 at most"),
    ({"document.id.strategy": "ProvidedInKeyStrategy"}, {"value": {"v": 1}}, "the key has no _id"),
    ({"document.id.strategy": "UuidProvidedInKeyStrategy"}, {"value": {"v": 1}, "key": {"_id": "x"}}, "is no UUID"),
    ({"writemodel.strategy": "ReplaceOneBusinessKeyStrategy"}, {"value": {"_id": 1}}, "business key"),
]


@pytest.mark.parametrize(("props", "record", "reason"), UNFIT)
def test_a_record_that_does_not_fit_is_reported_alone(
    shop: Shop, mongodb_url: str, props: dict[str, str], record: dict[str, Any], reason: str
) -> None:
    with sink(mongodb_url, reporting=True, **props) as run:
        good: dict[str, Any] = {"value": {"v": 1}, "key": {"_id": U}}
        if "writemodel.strategy" in props:
            good = {"value": {"_id": {"v": 1}}}
        run.put([run.record(**good), run.record(**record), run.record(**good)])
        [(reported, error)] = run.context.reports
    assert reported.offset == 1
    assert str(error).startswith("orders-0@1: ")
    assert reason in str(error)
    assert len(found(shop)) in (1, 2)


INSERTS = {"writemodel.strategy": "InsertOneDefaultStrategy"}


@pytest.mark.parametrize("ordered", ["true", "false"])
def test_a_write_that_mongodb_refuses_is_reported_alone_and_the_rest_is_written(
    shop: Shop, mongodb_url: str, ordered: str
) -> None:
    shop.orders.insert_many([{"_id": 1, "other": True}, {"_id": 3, "other": True}])
    with sink(mongodb_url, reporting=True, **INSERTS, **{"bulk.write.ordered": ordered}) as run:
        run.put([run.record({"_id": n}) for n in range(5)])
        reports = run.context.reports
    assert [record.offset for record, _ in reports] == [1, 3]
    assert "E11000" in str(reports[0][1])
    assert [document["_id"] for document in found(shop)] == [0, 1, 2, 3, 4]


def test_an_insert_that_was_done_before_counts_as_written(shop: Shop, mongodb_url: str) -> None:
    with sink(mongodb_url, reporting=True, **INSERTS) as run:
        run.put([run.record({"_id": n, "v": [1.5, None]}) for n in range(3)])
        run.put([run.record({"_id": n, "v": [1.5, None]}) for n in range(4)])
        assert run.context.reports == []
    assert len(found(shop)) == 4


@pytest.mark.parametrize(
    ("tolerance", "reporting", "raises", "reported"),
    [
        (None, False, True, 0),
        (None, True, False, 1),
        ("none", True, True, 0),
        ("all", False, False, 0),
        ("data", True, False, 1),
    ],
)
def test_mongo_errors_tolerance_goes_over_that_of_the_framework(
    shop: Shop, mongodb_url: str, tolerance: str | None, reporting: bool, raises: bool, reported: int
) -> None:
    props = {} if tolerance is None else {"mongo.errors.tolerance": tolerance}
    with sink(mongodb_url, reporting=reporting, **props) as run:
        if raises:
            with pytest.raises(DataError, match=r"orders-0@0: "):
                run.put([run.record("x")])
        else:
            run.put([run.record("x"), run.record({"_id": 1})])
        assert len(run.context.reports) == reported
    assert len(found(shop)) == (0 if raises else 1)


@pytest.mark.needs("mongodb-server")
def test_a_server_without_time_series_is_named() -> None:
    props = {"timeseries.timefield": "at", "timeseries.timefield.auto.convert": "true"}
    with running_mongodb() as server, mongo_client(server.url) as client:
        with sink(server.url, **props) as run, pytest.raises(ConnectError, match="has no time series") as failed:
            run.put([run.record({"_id": 1, "at": 5})])
        assert not isinstance(failed.value, RetriableError | DataError)
        client.shop.plain.insert_one({})
        with (
            sink(server.url, **props, collection="plain") as run,
            pytest.raises(ConnectError, match=r"shop\.plain is there, and is no time series"),
        ):
            run.put([run.record({"_id": 1, "at": 5})])


@pytest.mark.parametrize(
    ("props", "key", "reason"),
    [
        ({"database": ""}, "database", "empty"),
        ({"connection.uri": "http://x"}, "connection.uri", "is no connection string"),
        ({"connection.uri": "mongodb://h/?nosuch=1"}, "connection.uri", "nosuch"),
        ({"connection.uri": "mongodb://h/?authMechanism=MONGODB-AWS"}, "connection.uri", "is not supported"),
        ({"document.id.strategy": "com.example.BsonOidStrategy"}, "document.id.strategy", "Java's code does not run"),
        ({"writemodel.strategy": "com.example.Mine"}, "writemodel.strategy", "is a class that is not here"),
        ({"post.processor.chain": "DocumentIdAdder,com.x.Y"}, "post.processor.chain", "com.x.Y"),
        ({"change.data.capture.handler": f"{ROOT}cdc.qlik.rdbms.RdbmsHandler"}, "change.data.capture.handler", "qlik"),
        ({"delete.on.null.values": "true"}, "delete.on.null.values", "needs ids of the key"),
        ({"document.id.strategy": "PartialKeyStrategy"}, "document.id.strategy", "needs AllowList or BlockList"),
        ({"field.renamer.mapping": "{"}, "field.renamer.mapping", "JSON"),
        (
            {"post.processor.chain": "RenameByMapping", "field.renamer.mapping": '[{"a": 1}]'},
            "field.renamer.mapping",
            "newName",
        ),
        ({"namespace.mapper": "FieldPathNamespaceMapper"}, "namespace.mapper", "needs the field"),
        ({"timeseries.metafield": "m"}, "timeseries.metafield", "needs timeseries.timefield"),
        ({"csfle.enabled": "true"}, "csfle.enabled", "is not supported"),
        ({"field.value.transformer": "x.Y"}, "field.value.transformer", "is not supported"),
        ({"mongo.custom.auth.mechanism.enable": "true"}, "mongo.custom.auth.mechanism.enable", "is not supported"),
        ({"topic.override.orders.nosuch": "1"}, "topic.override.orders.nosuch", "no key that topics may override"),
        ({"topic.override.orders.max.batch.size": "x"}, "topic.override.orders.max.batch.size", "number"),
        ({"topic.override.orders.connection.uri": "x"}, "topic.override.orders.connection.uri", "holds for all topics"),
        ({"server.api.strict": "true"}, "server.api.strict", "needs server.api.version"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_by_key(props: dict[str, str], key: str, reason: str) -> None:
    errors = validation_errors(MongoSink, {"database": "shop", "topics": "orders", **props})
    assert list(errors) == [key]
    assert reason in errors[key][0]


def test_what_asks_for_nothing_that_is_not_done_is_taken() -> None:
    props = {"database": "shop", "topics": "orders", "csfle.enabled": "false", "field.value.transformer": ""}
    assert validation_errors(MongoSink, props) == {}


def test_offsets_may_be_altered_as_one_likes() -> None:
    assert MongoSink().alter_offsets({"database": "shop"}, {TopicPartition("orders", 0): 7})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (1_767_323_045_120, datetime(2026, 1, 2, 3, 4, 5, 120000, UTC)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02 05:04:05+02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        ("someday", "someday"),
        (True, True),
    ],
)
def test_times_of_series_may_be_made_of_numbers_and_text(given: Any, expected: Any) -> None:
    props = {"database": "shop", "timeseries.timefield": "at", "timeseries.timefield.auto.convert": "true"}
    plan = TopicPlan(MongoSink.config_class.parse(props), "orders")
    prepared = plan.prepared(SinkRecord("orders", 0, None, None, None, {"_id": 1, "at": given}, 0))
    assert prepared is not None
    assert bson.decode(prepared[1].inserted.raw, CODEC) == {"_id": 1, "at": expected}  # type: ignore[union-attr]


def test_bulk_writes_wait_for_the_rate_limit(shop: Shop, mongodb_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("kconnect_mongodb.bulk_writer.sleep", waits.append)
    props = {"rate.limiting.timeout": "250", "rate.limiting.every.n": "2", "max.batch.size": "1"}
    with sink(mongodb_url, **props) as run:
        run.put([run.record({"_id": n}) for n in range(5)])
    assert (waits, len(found(shop))) == ([0.25, 0.25], 5)
