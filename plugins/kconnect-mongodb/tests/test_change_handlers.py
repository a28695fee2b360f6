"""The sink by change.data.capture.handler: changes of MongoDB and of Debezium are done again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bson.objectid import ObjectId
from pymongo.database import Database

from kconnect.testing.sinks import SinkTaskHarness
from kconnect_mongodb.sink import MongoSink

Shop = Database[dict[str, Any]]
CDC = "com.mongodb.kafka.connect.sink.cdc."
EVENTS = f"{CDC}mongodb.ChangeStreamHandler"
RDBMS = f"{CDC}debezium.rdbms.postgres.PostgresHandler"
OPLOG = f"{CDC}debezium.mongodb.MongoDbHandler"
STREAM = f"{CDC}debezium.mongodb.ChangeStreamHandler"


def handling(url: str, handler: str, **more: str) -> SinkTaskHarness:
    props = {"name": "test", "connection.uri": url, "database": "shop", "topics": "orders"}
    return SinkTaskHarness(MongoSink, props | {"change.data.capture.handler": handler, **more}, reporting=True)


def found(shop: Shop) -> list[dict[str, Any]]:
    return list(shop.orders.find().sort("_id", 1))


def change(kind: str, key: Any, **fields: Any) -> dict[str, Any]:
    return {"operationType": kind, "documentKey": {"_id": key}, "ns": {"db": "a", "coll": "b"}, **fields}


def described(updated: dict[str, Any], removed: list[str], **more: Any) -> dict[str, Any]:
    return {"updateDescription": {"updatedFields": updated, "removedFields": removed, **more}}


def test_change_events_of_mongodb(shop: Shop, mongodb_url: str) -> None:
    with handling(mongodb_url, EVENTS) as run:
        changes = [
            change("insert", 1, fullDocument={"_id": 1, "a": 1, "b": 2}),
            change("insert", 2, fullDocument={"_id": 2, "a": 1}),
            change("insert", 3, fullDocument={"_id": 3}),
            change("replace", 2, fullDocument={"_id": 2, "c": 3}),
            change("update", 1, **described({"a": 5, "d": 4}, ["b"])),
            change("update", 2, fullDocument={"_id": 2, "e": 1}, **described({"e": 1}, ["c"])),
            change("update", 9, fullDocument={"_id": 9}),  # of a document that is not there
            change("delete", 3),
            change("drop", 1),
        ]
        run.put([run.record(each) for each in changes])
        assert run.context.reports == []
    assert found(shop) == [{"_id": 1, "a": 5, "d": 4}, {"_id": 2, "e": 1}]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"a": 1}, "no operationType"),
        (change("update", 1), "no document as updateDescription"),
        (
            change("update", 1, **described({"a": 1}, [], truncatedArrays=[{"field": "l", "newSize": 1}])),
            "truncatedArrays",
        ),
        (change("update", 1, **described({"a": 1}, [], other=1)), "not known, and may matter: other"),
        ({"operationType": "delete"}, "no document as documentKey"),
        (change("insert", 1, fullDocument=None), "no document as fullDocument"),
    ],
)
def test_a_change_event_that_is_incomplete_is_reported(shop: Shop, mongodb_url: str, value: Any, reason: str) -> None:
    with handling(mongodb_url, EVENTS) as run:
        run.put([run.record(value)])
        [(_, error)] = run.context.reports
    assert reason in str(error)
    assert found(shop) == []


@pytest.mark.parametrize("handler", [RDBMS, f"{CDC}debezium.rdbms.mysql.MysqlHandler", "RdbmsHandler"])
def test_rows_of_debezium(shop: Shop, mongodb_url: str, handler: str) -> None:
    with handling(mongodb_url, handler) as run:
        run.put(
            [
                run.record({"op": "c", "before": None, "after": {"id": 1, "name": "a"}}, key={"id": 1}),
                run.record({"op": "r", "before": None, "after": {"id": 2, "name": "b"}}, key={"id": 2}),
                run.record({"op": "u", "before": None, "after": {"id": 1, "name": "c"}}, key={"id": 1}),
                run.record({"op": "d", "before": {"id": 2}, "after": None}, key={"id": 2}),
                run.record(None, key={"id": 2}),
                run.record({"ddl": "CREATE TABLE"}, key={"databaseName": "x"}),
                run.record({"op": "c", "after": {"name": "without a key"}}),
                run.record({"op": "u", "before": {"name": "without a key"}, "after": {"name": "changed"}}),
            ]
        )
        assert run.context.reports == []
    documents = sorted(found(shop), key=lambda each: each["name"])
    assert documents[0] == {"_id": {"id": 1}, "name": "c"}
    assert (documents[1]["name"], type(documents[1]["_id"])) == ("changed", ObjectId)


def test_documents_of_debezium(shop: Shop, mongodb_url: str) -> None:
    oid = ObjectId()
    identity = json.dumps({"$oid": str(oid)})
    document = {"_id": {"$oid": str(oid)}, "n": {"$numberLong": "5"}, "s": "x"}
    for handler, updates in (
        (OPLOG, [{"patch": json.dumps({"$v": 1, "$set": {"n": 6}, "$unset": {"s": True}})}]),
        (STREAM, [{"after": json.dumps({"_id": {"$oid": str(oid)}, "n": 6})}]),
    ):
        with handling(mongodb_url, handler) as run:
            run.put([run.record({"op": "c", "after": json.dumps(document)}, key={"id": identity})])
            assert found(shop) == [{"_id": oid, "n": 5, "s": "x"}]
            run.put([run.record({"op": "u", **update}, key={"id": identity}) for update in updates])
            assert found(shop) == [{"_id": oid, "n": 6}]
            run.put([run.record({"op": "d"}, key={"id": identity}), run.record(None, key={"id": identity})])
            assert run.context.reports == []
        assert found(shop) == []


@pytest.mark.parametrize(
    ("handler", "record", "reason"),
    [
        (RDBMS, {"value": {"op": "x"}, "key": {"id": 1}}, "op is 'x'"),
        (RDBMS, {"value": {"op": "c", "after": None}, "key": {"id": 1}}, "no document as after"),
        (RDBMS, {"value": {"op": "d", "before": None}}, "the row is not found"),
        (OPLOG, {"value": {"op": "c", "after": "{}"}}, "has no key"),
        (OPLOG, {"value": {"op": "c", "after": "{"}, "key": {"id": "1"}}, "is no JSON document"),
        (OPLOG, {"value": {"op": "u"}, "key": {"id": "1"}}, "no JSON text as patch"),
        (STREAM, {"value": {"op": "u", "patch": "{}"}, "key": {"id": "1"}}, "no JSON text as after"),
        (STREAM, {"value": {"op": "d"}, "key": {"id": 1}}, "no JSON text as id"),
    ],
)
def test_an_event_of_debezium_that_is_incomplete_is_reported(
    shop: Shop, mongodb_url: str, handler: str, record: dict[str, Any], reason: str
) -> None:
    with handling(mongodb_url, handler) as run:
        run.put([run.record(**record)])
        [(_, error)] = run.context.reports
    assert reason in str(error)
    assert found(shop) == []


def test_nulls_may_be_left_out_of_what_handlers_write(shop: Shop, mongodb_url: str) -> None:
    clean = {"change.data.capture.handler.remove.null.values": "true"}
    with handling(mongodb_url, EVENTS, **clean) as run:
        run.put(
            [
                run.record(change("insert", 1, fullDocument={"_id": 1, "a": None, "l": [None, {"x": None}]})),
                run.record(change("update", 1, **described({"b": None, "c": 1}, []))),
                run.record(change("update", 1, **described({"b": None}, []))),
            ]
        )
    assert found(shop) == [{"_id": 1, "l": [None, {}], "c": 1}]
    with handling(mongodb_url, RDBMS, **clean) as run:
        run.put([run.record({"op": "c", "after": {"id": 2, "a": None, "b": 1}}, key={"id": 2})])
    assert found(shop)[-1] == {"_id": {"id": 2}, "b": 1}
