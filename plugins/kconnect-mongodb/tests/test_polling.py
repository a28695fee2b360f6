"""The source by a field, at a server without a replica set."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson.objectid import ObjectId
from pymongo.database import Database

from kconnect import ConnectError, RetriableError
from kconnect.testing.conformance import SourceConformance
from kconnect.testing.sources import MemoryOffsets, SourceTaskHarness
from kconnect_mongodb.source import MongoSource
from services.mongodb import running_mongodb

Shop = Database[dict[str, Any]]


def polling(url: str, field: str = "_id", offsets: MemoryOffsets | None = None, **more: str) -> SourceTaskHarness:
    props = {
        "name": "test",
        "connection.uri": url,
        "database": "shop",
        "collection": "orders",
        "polling.field": field,
        "polling.interval.ms": "20",
        "publish.full.document.only": "true",
        **more,
    }
    return SourceTaskHarness(MongoSource, props, offsets=offsets)


class TestMongoSourceThatPolls(SourceConformance):
    connector_class = MongoSource

    @pytest.fixture
    def props(self, shop: Shop, mongodb_url: str) -> dict[str, str]:
        shop.orders.insert_many([{"_id": n} for n in range(3)])
        given = {"connection.uri": mongodb_url, "database": "shop", "collection": "orders", "polling.field": "_id"}
        return {"name": "test", "polling.interval.ms": "20", **given}

    def test_passwords_are_not_shown(self, props: dict[str, str]) -> None:
        given = props | {"connection.uri": "mongodb://u:tops3cret@h/", "connection.ssl.keystorePassword": "tops3cret"}
        assert "tops3cret" not in repr(MongoSource.config_class.parse(given))


def test_records_are_events_of_inserts(shop: Shop, mongodb_url: str) -> None:
    shop.orders.insert_one({"_id": 7, "name": "ü"})
    with polling(mongodb_url, **{"publish.full.document.only": "false"}) as run:
        [record] = run.poll_until(1)
    assert (record.topic, record.key) == ("shop.orders", '{"_id": 7}')
    assert json.loads(record.value) == {
        "_id": {"_id": 7, "copyingData": True},
        "operationType": "insert",
        "ns": {"db": "shop", "coll": "orders"},
        "documentKey": {"_id": 7},
        "fullDocument": {"_id": 7, "name": "ü"},
    }
    assert record.source_offset == {"field": "_id", "value": '{"$numberInt": "7"}', "_id": '{"$numberInt": "7"}'}


def test_what_is_new_and_what_has_changed_comes_by_a_field_that_grows(shop: Shop, mongodb_url: str) -> None:
    shop.orders.insert_many(
        [{"_id": n, "version": n // 2} for n in (5, 4, 3, 2)] + [{"_id": 9}, {"_id": 8, "version": None}]
    )
    with polling(mongodb_url, "version", **{"poll.max.batch.size": "3"}) as run:
        assert [json.loads(record.value)["_id"] for record in run.poll_until(4)] == [2, 3, 4, 5]
        shop.orders.update_one({"_id": 3}, {"$set": {"version": 10}})
        [changed] = run.poll_until(1)
        run.commit()
        shop.orders.insert_one({"_id": 100, "version": 10})
    assert json.loads(changed.value) == {"_id": 3, "version": 10}
    with polling(mongodb_url, "version", run.offsets) as again:
        assert [json.loads(record.value)["_id"] for record in again.poll_until(1)] == [100]


def test_documents_must_be_old_enough_where_their_field_has_an_age(shop: Shop, mongodb_url: str) -> None:
    now = datetime.now(UTC)
    for when in (now - timedelta(hours=2), now - timedelta(hours=1), now):
        shop.orders.insert_one({"_id": ObjectId.from_datetime(when), "at": when})
    for field in ("_id", "at"):
        with polling(mongodb_url, field, **{"polling.delay.ms": "600000"}) as run:
            assert len(run.poll_until(2)) == 2
            assert run.poll() == []
            run.commit()
        with polling(mongodb_url, field, run.offsets, **{"polling.delay.ms": "0"}) as again:
            assert len(again.poll_until(1)) == 1


def test_offsets_of_another_field_are_refused(shop: Shop, mongodb_url: str) -> None:
    props = {"connection.uri": mongodb_url, "database": "shop", "collection": "orders", "polling.field": "n"}
    partition = frozenset(MongoSource.config_class.parse(props).partition.items())
    for offset in ({"field": "m", "value": "1", "_id": "1"}, {"_id": "{}"}, {"field": "n", "value": "x", "_id": "1"}):
        with pytest.raises(ConnectError, match=r"none of polling\.field=n|no Extended JSON"):
            MongoSource().alter_offsets(props, {partition: offset})
    assert MongoSource().alter_offsets(props, {partition: {"field": "n", "value": "5", "_id": '"a"'}})


def test_schemas_may_be_found_in_documents(shop: Shop, mongodb_url: str) -> None:
    at, oid = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC), ObjectId()
    document = {
        "_id": 1,
        "z": [{"a": 1}, {"b": "x"}],
        "oid": oid,
        "at": at,
        "mixed": [1, "x"],
        "in": {"n": None},
        "f": 1.5,
    }
    shop.orders.insert_one(document)
    with polling(mongodb_url, **{"output.format.value": "schema", "output.schema.infer.value": "true"}) as run:
        [record] = run.poll_until(1)
    schema = record.value_schema
    assert schema is not None
    assert [field.name for field in schema.fields] == ["_id", "at", "f", "in", "mixed", "oid", "z"]
    assert record.value == {
        "_id": 1,
        "at": at,
        "f": 1.5,
        "in": {"n": None},
        "mixed": ["1", "x"],
        "oid": '{"$oid": "' + str(oid) + '"}',
        "z": [{"a": 1, "b": None}, {"a": None, "b": "x"}],
    }


def test_schemas_may_be_given_as_avro(shop: Shop, mongodb_url: str) -> None:
    shop.orders.insert_one({"_id": 1, "n": 5, "list": ["a"], "map": {"x": 1.5}, "in": {"s": ObjectId("5f" * 12)}})
    inner = {"type": "record", "name": "inner", "fields": [{"name": "s", "type": "string"}]}
    fields = [
        {"name": "n", "type": "long"},
        {"name": "list", "type": {"type": "array", "items": "string"}},
        {"name": "map", "type": {"type": "map", "values": "double"}},
        {"name": "in", "type": ["null", inner]},
        {"name": "none", "type": ["null", "string"]},
        {"name": "preset", "type": "string", "default": "d"},
    ]
    given = json.dumps({"type": "record", "name": "order", "namespace": "shop", "fields": fields})
    more = {"output.format.value": "schema", "output.schema.value": given, "output.json.formatter": "SimplifiedJson"}
    with polling(mongodb_url, **more, **{"output.format.key": "schema"}) as run:
        [record] = run.poll_until(1)
    assert record.value_schema is not None
    assert record.value_schema.name == "shop.order"
    expected = {"n": 5, "list": ["a"], "map": {"x": 1.5}, "in": {"s": "5f" * 12}, "none": None, "preset": "d"}
    assert record.value == expected
    assert record.key == {"_id": '{"_id": 1, "copyingData": true}'}


@pytest.mark.needs("mongodb-server")
def test_change_streams_of_a_server_without_them_say_what_to_do_instead() -> None:
    with running_mongodb() as server:
        props = {"connection.uri": server.url, "database": "shop", "collection": "orders"}
        with SourceTaskHarness(MongoSource, props) as run, pytest.raises(ConnectError, match=r"polling\.field") as told:
            run.poll()
    assert not isinstance(told.value, RetriableError)
