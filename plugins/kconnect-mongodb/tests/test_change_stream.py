"""The source by change streams: the real driver, at a server of ours that hands out documented events."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson.objectid import ObjectId

from kconnect import ConfigError, ConnectError, DataError, RetriableError
from kconnect.bounds import Bounds, set_bounds
from kconnect.testing.conformance import SourceConformance, validation_errors
from kconnect.testing.sinks import SinkTaskHarness
from kconnect.testing.sources import MemoryOffsets, SourceTaskHarness
from kconnect_mongodb.sink import MongoSink
from kconnect_mongodb.source import MongoSource
from services.mongodb.change_streams import ChangeStreamServer, event, token

DAY = datetime(2026, 1, 2, tzinfo=UTC)
WATCHED = {"database": "shop", "collection": "orders", "poll.await.time.ms": "50"}


@pytest.fixture
def server() -> Iterator[ChangeStreamServer]:
    with ChangeStreamServer() as running:
        yield running


def source(server: ChangeStreamServer, offsets: MemoryOffsets | None = None, **more: str) -> SourceTaskHarness:
    props = {"name": "test", "connection.uri": server.url, **WATCHED, **more}
    return SourceTaskHarness(MongoSource, props, offsets=offsets)


def at(server: ChangeStreamServer, number: int, **more: str) -> MemoryOffsets:
    """Offsets behind an event."""
    offsets = MemoryOffsets()
    offsets.store(partition(server), {"_id": json.dumps(token(number)), **more})
    return offsets


def partition(server: ChangeStreamServer) -> dict[str, str]:
    return {"ns": f"mongodb://127.0.0.1:{server.server_address[1]}/shop.orders"}


class TestMongoSourceOfChangeStreams(SourceConformance):
    connector_class = MongoSource

    @pytest.fixture
    def props(self, server: ChangeStreamServer) -> dict[str, str]:
        server.add(*(event(n, fullDocument={"_id": n}) for n in range(1, 4)))
        timed = {"startup.mode": "timestamp", "startup.mode.timestamp.start.at.operation.time": "0"}
        return {"name": "test", "connection.uri": server.url, **WATCHED, **timed}

    def test_passwords_are_not_shown(self, props: dict[str, str]) -> None:
        given = props | {"connection.uri": "mongodb://u:tops3cret@h/", "connection.ssl.keystorePassword": "tops3cret"}
        assert "tops3cret" not in repr(MongoSource.config_class.parse(given))


def test_events_become_records_with_the_offsets_of_mongo_kafka(server: ChangeStreamServer) -> None:
    oid = ObjectId("5f0000000000000000000001")
    first = event(
        1, documentKey={"_id": oid}, fullDocument={"_id": oid, "n": bson.Int64(5), "at": datetime(2026, 1, 2)}
    )
    with source(server, at(server, 0)) as run:
        server.add(first, event(2, "delete"))
        insert, delete = run.poll_until(2)
    assert insert.topic == "shop.orders"
    assert insert.source_partition == partition(server)
    assert insert.source_offset == {"_id": '{"_data": "820000000000000001"}'}
    assert insert.key == '{"_id": {"$oid": "5f0000000000000000000001"}}'
    assert insert.value == (
        '{"_id": {"_data": "820000000000000001"}, "operationType": "insert", "clusterTime": {"$timestamp": {"t": '
        '1700000001, "i": 1}}, "ns": {"db": "shop", "coll": "orders"}, "documentKey": {"_id": {"$oid": '
        '"5f0000000000000000000001"}}, "fullDocument": {"_id": {"$oid": "5f0000000000000000000001"}, "n": '
        '{"$numberLong": "5"}, "at": {"$date": 1767312000000}}}'
    )
    assert (delete.key, json.loads(delete.value)["operationType"]) == ('{"_id": 2}', "delete")


def test_what_was_stored_is_gone_on_behind(server: ChangeStreamServer) -> None:
    server.add(*(event(n) for n in range(1, 6)))
    with source(server, at(server, 2)) as run:
        assert [record.key for record in run.poll_until(3)] == ['{"_id": 3}', '{"_id": 4}', '{"_id": 5}']
    [opened] = server.asked("aggregate")
    assert opened["pipeline"] == [{"$changeStream": {"startAfter": token(2)}}]
    assert opened["aggregate"] == "orders"


def test_a_copy_that_was_not_done_has_no_token_to_go_on_behind(server: ChangeStreamServer) -> None:
    server.add(event(1))
    with source(server, at(server, 0, copy="true")) as run:
        assert run.poll() == []
        server.add(event(2))
        assert [record.key for record in run.poll_until(1)] == ['{"_id": 2}']


@pytest.mark.parametrize(
    ("props", "stage", "database", "aggregate"),
    [
        ({"collection": "", "database": ""}, {"allChangesForCluster": True}, "admin", 1),
        ({"collection": ""}, {}, "shop", 1),
        ({"change.stream.full.document": "updateLookup"}, {"fullDocument": "updateLookup"}, "shop", "orders"),
        ({"publish.full.document.only": "true"}, {"fullDocument": "updateLookup"}, "shop", "orders"),
        ({"change.stream.full.document": "default"}, {}, "shop", "orders"),
        (
            {"change.stream.full.document.before.change": "required", "change.stream.show.expanded.events": "true"},
            {"fullDocumentBeforeChange": "required", "showExpandedEvents": True},
            "shop",
            "orders",
        ),
        (
            {"startup.mode": "timestamp", "startup.mode.timestamp.start.at.operation.time": "2023-11-14T22:13:20Z"},
            {"startAtOperationTime": bson.Timestamp(1_700_000_000, 0)},
            "shop",
            "orders",
        ),
    ],
)
def test_the_server_is_asked_for_what_the_configuration_says(
    server: ChangeStreamServer, props: dict[str, str], stage: dict[str, Any], database: str, aggregate: Any
) -> None:
    more = {"pipeline": '[{"$match": {"operationType": "insert"}}]', "batch.size": "7"}
    with source(server, **more, **props) as run:
        run.poll()
    [opened] = server.asked("aggregate")
    assert opened["pipeline"] == [{"$changeStream": stage}, {"$match": {"operationType": "insert"}}]
    assert (opened["$db"], opened["aggregate"]) == (database, aggregate)
    assert opened["cursor"] == {"batchSize": 7}
    assert server.asked("getMore")[0]["maxTimeMS"] == 50


def test_documents_alone_with_tombstones(server: ChangeStreamServer) -> None:
    props = {"publish.full.document.only": "true", "publish.full.document.only.tombstone.on.delete": "true"}
    with source(server, at(server, 0), **props, **{"output.json.formatter": "SimplifiedJson"}) as run:
        server.add(event(1, fullDocument={"_id": 1}), event(2, "update", fullDocument=None), event(3, "delete"))
        records = run.poll_until(2)
    assert [(record.key, record.value) for record in records] == [('{"_id": 1}', '{"_id": 1}'), ('{"_id": 3}', None)]
    assert records[1].value_schema is None


def test_keys_may_be_resume_tokens_and_values_bson(server: ChangeStreamServer) -> None:
    props = {"change.stream.document.key.as.key": "false", "output.format.value": "bson"}
    with source(server, at(server, 0), **props) as run:
        server.add(event(1, fullDocument={"_id": 1, "d": bson.Decimal128("1.5")}))
        [record] = run.poll_until(1)
    assert record.key == '{"_id": {"_data": "820000000000000001"}}'
    assert bson.decode(record.value)["fullDocument"] == {"_id": 1, "d": bson.Decimal128("1.5")}


def test_a_lost_connection_loses_and_doubles_nothing(server: ChangeStreamServer) -> None:
    with source(server, at(server, 0)) as run:
        server.add(event(1))
        keys = [record.key for record in run.poll_until(1)]
        server.hang_up = True
        server.add(event(2), event(3))
        keys += [record.key for record in run.poll_until(2)]
    assert keys == ['{"_id": 1}', '{"_id": 2}', '{"_id": 3}']


def test_a_server_that_steps_down_is_waited_for_behind_what_was_read(server: ChangeStreamServer) -> None:
    with source(server, at(server, 0)) as run:
        server.add(event(1))
        assert len(run.poll_until(1)) == 1
        server.fail = lambda command: (
            {"code": 10107, "errmsg": "not primary"} if next(iter(command)) in ("getMore", "aggregate") else None
        )
        server.add(event(2))
        with pytest.raises(RetriableError, match="cannot"):
            run.poll()
        server.fail = lambda command: None
        assert [record.key for record in run.poll_until(1)] == ['{"_id": 2}']


LOST = {
    "code": 286,
    "errmsg": "Resume of change stream was not possible, as the resume point may no longer be in the oplog.",
}


def fail_resumes(command: Any) -> Any:
    stage = command.get("pipeline", [{}])[0] if command.get("pipeline") else {}
    return LOST if "startAfter" in stage.get("$changeStream", {}) else None


def test_a_token_that_is_not_known_any_more_fails_the_task_with_what_to_do(server: ChangeStreamServer) -> None:
    server.fail = fail_resumes
    with (
        source(server, at(server, 1)) as run,
        pytest.raises(ConnectError, match="reset the connector's offsets") as told,
    ):
        run.poll()
    assert not isinstance(told.value, RetriableError)
    assert "820000000000000001" in str(told.value)


def test_a_token_that_is_not_known_any_more_is_left_where_errors_are_tolerated(
    server: ChangeStreamServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.fail = fail_resumes
    with source(server, at(server, 1), **{"errors.tolerance": "all"}) as run:
        run.poll()
        run.poll()
        server.add(event(5))
        assert [record.key for record in run.poll_until(1)] == ['{"_id": 5}']
    assert "EVENTS BETWEEN ARE LOST" in caplog.text


def test_a_dropped_collection_is_gone_on_behind(server: ChangeStreamServer) -> None:
    with source(server, at(server, 0)) as run:
        server.add(event(1, "drop"), event(2, "invalidate"))
        assert len(run.poll_until(2)) == 2
        server.add(event(3))
        assert [record.key for record in run.poll_until(1)] == ['{"_id": 3}']
    assert server.asked("aggregate")[-1]["pipeline"] == [{"$changeStream": {"startAfter": token(2)}}]


def test_heartbeats_store_where_the_stream_is_while_nothing_comes(server: ChangeStreamServer) -> None:
    server.add(event(1))
    with source(server, **{"heartbeat.interval.ms": "1"}) as run:
        [beat] = run.poll_until(1)
        assert (beat.topic, beat.value) == ("__mongodb_heartbeats", None)
        assert beat.key == '{"_data": "820000000000000001"}'
        assert beat.source_offset == {"_id": beat.key, "HEARTBEAT": "true"}
        time.sleep(0.01)
        assert run.poll() == []  # the token is the same


def test_a_copy_comes_first_and_then_what_changed_since_it_began(server: ChangeStreamServer) -> None:
    server.add(event(1))
    server.documents = [{"_id": 10}, {"_id": 11}, {"_id": 12}]
    props = {"startup.mode": "copy_existing", "poll.max.batch.size": "2", "publish.full.document.only": "true"}
    with source(server, **props) as run:
        first, last = run.poll(), run.poll()
        server.add(event(2, fullDocument={"_id": 2}))
        changed = run.poll_until(1)
    assert [record.value for record in [*first, *last, *changed]] == [
        '{"_id": 10}',
        '{"_id": 11}',
        '{"_id": 12}',
        '{"_id": 2}',
    ]
    assert [record.source_offset for record in first] == [
        {"_id": f'{{"_id": {n}, "copyingData": true}}', "copy": "true"} for n in (10, 11)
    ]
    assert [record.source_offset for record in last] == [{"_id": '{"_data": "820000000000000001"}'}]


def test_a_copy_with_a_pipeline_has_the_server_make_events(server: ChangeStreamServer) -> None:
    props = {"copy.existing": "true", "copy.existing.pipeline": '[{"$match": {"a": 1}}]', "pipeline": '[{"$limit": 5}]'}
    with source(server, **props) as run:
        run.poll()
    match, make, limit = server.asked("aggregate")[1]["pipeline"]
    assert (match, limit) == ({"$match": {"a": 1}}, {"$limit": 5})
    assert make["$replaceRoot"]["newRoot"]["ns"] == {"db": {"$literal": "shop"}, "coll": {"$literal": "orders"}}


def test_an_event_that_has_no_form_goes_to_the_dead_letters_where_that_is_tolerated(server: ChangeStreamServer) -> None:
    schema = '{"type": "record", "name": "r", "fields": [{"name": "n", "type": "int"}]}'
    props = {"output.format.value": "schema", "output.schema.value": schema, "publish.full.document.only": "true"}
    with source(server, at(server, 0), **props) as run:
        server.add(event(1, fullDocument={"n": "x"}), event(2, fullDocument={"n": 2}))
        with pytest.raises(DataError, match="field n: must be a number"):
            run.poll_until(1)
    more = {"mongo.errors.tolerance": "all", "mongo.errors.deadletterqueue.topic.name": "dead"}
    with source(server, at(server, 0), **props, **more) as run:
        dead, good = run.poll_until(2)
    assert (dead.topic, dead.key, dead.value) == ("dead", '{"_id": 1}', '{"n": "x"}')
    assert good.value == {"n": 2}


REGEXES = '{"/shop\\\\.(o.*)": "x{sep}{coll}", "/o.*": "{db}{sep_coll}!"}'
DECORATED = {"topic.prefix": "p", "topic.suffix": "s", "topic.separator": "-"}


@pytest.mark.parametrize(
    ("props", "names"),
    [
        ({}, ["shop.orders", "shop.items", "other"]),
        (DECORATED, ["p-shop-orders-s", "p-shop-items-s", "p-other-s"]),
        ({"topic.namespace.map": '{"shop": "b", "shop.orders": "a", "*": "rest"}'}, ["a", "b.items", "rest"]),
        ({"topic.namespace.map": REGEXES}, ["x.orders", "shop.items", "other!"]),
    ],
)
def test_topics_are_named_by_namespaces(server: ChangeStreamServer, props: dict[str, str], names: list[str]) -> None:
    with source(server, at(server, 0), **props) as run:
        server.add(event(1), event(2, ns={"db": "shop", "coll": "items"}), event(3, "dropDatabase", ns={"db": "other"}))
        assert [record.topic for record in run.poll_until(3)] == names


@pytest.mark.parametrize(
    ("offset", "reason"),
    [
        ({"_id": "no json"}, "is no JSON document"),
        ({"token": "{}"}, "none of a change stream"),
        ({"_id": {"_data": "82"}}, "none of a change stream"),
    ],
)
def test_offsets_that_are_none_are_refused(server: ChangeStreamServer, offset: dict[str, Any], reason: str) -> None:
    props = {"connection.uri": server.url, **WATCHED}
    here = frozenset(partition(server).items())
    with pytest.raises(ConnectError, match=reason):
        MongoSource().alter_offsets(props, {here: offset})
    with pytest.raises(ConnectError, match="is not read: it must be"):
        MongoSource().alter_offsets(props, {frozenset({("ns", "x")}): {"_id": "{}"}})
    assert MongoSource().alter_offsets(props, {here: {"_id": json.dumps(token(3))}, frozenset({("ns", "x")}): None})


@pytest.mark.parametrize(
    ("props", "key", "reason"),
    [
        ({"database": ""}, "collection", "needs a database"),
        ({"pipeline": "{"}, "pipeline", "JSON"),
        ({"startup.mode": "never"}, "startup.mode", "LATEST"),
        (
            {"startup.mode.timestamp.start.at.operation.time": "soon"},
            "startup.mode.timestamp.start.at.operation.time",
            "is no point in time",
        ),
        ({"topic.mapper": "com.example.Mine"}, "topic.mapper", "is a class that is not here"),
        ({"output.json.formatter": "com.example.Mine"}, "output.json.formatter", "is a class that is not here"),
        ({"topic.namespace.map": '{"/a(": "x"}'}, "topic.namespace.map", "regular expression"),
        ({"topic.namespace.map": '{"/a": "{nosuch}"}'}, "topic.namespace.map", "no variable"),
        ({"output.schema.value": '{"type": "enum"}'}, "output.schema.value", "use string"),
        ({"output.schema.key": '"string"'}, "output.schema.key", "is no record"),
        (
            {"publish.full.document.only.tombstone.on.delete": "true"},
            "publish.full.document.only.tombstone.on.delete",
            "needs publish",
        ),
        ({"polling.field": "_id", "pipeline": '[{"$limit": 1}]'}, "pipeline", "polling.field does without"),
        ({"polling.field": "_id", "collection": ""}, "polling.field", "reads one collection"),
        ({"collation": '{"locale": "de"}'}, "collation", "is not supported"),
        ({"mongo.custom.auth.mechanism.enable": "true"}, "mongo.custom.auth.mechanism.enable", "is not supported"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused_by_key(props: dict[str, str], key: str, reason: str) -> None:
    errors = validation_errors(MongoSource, {**WATCHED, **props})
    assert list(errors) == [key]
    assert reason in errors[key][0]


def test_a_node_that_a_replica_set_names_is_held_to_what_is_allowed(server: ChangeStreamServer) -> None:
    port = server.server_address[1]
    set_bounds(Bounds.from_props({"egress.allow": f"localhost:{port}"}))
    try:
        with (
            pytest.raises(ConfigError, match=f"127.0.0.1:{port} are not what this worker's egress.allow allows"),
            source(server, **{"connection.uri": f"mongodb://localhost:{port}/?replicaSet=rs0"}) as run,
        ):
            run.poll()
    finally:
        set_bounds(Bounds())


def test_a_time_series_is_made_before_the_first_document(server: ChangeStreamServer) -> None:
    """As the command that MongoDB documents: no server that can be had has them."""
    props = {
        "connection.uri": server.url,
        "database": "shop",
        "timeseries.timefield": "at",
        "timeseries.metafield": "sensor",
        "timeseries.granularity": "Minutes",
        "timeseries.expire.after.seconds": "60",
    }
    with SinkTaskHarness(MongoSink, props) as run:
        for _ in range(2):
            run.put([run.record({"at": DAY, "sensor": 1})])
    [create] = server.asked("create")
    assert (create["create"], create["expireAfterSeconds"]) == ("orders", 60)
    assert create["timeseries"] == {"timeField": "at", "metaField": "sensor", "granularity": "minutes"}
    assert len(server.asked("insert")) == 2


def test_events_have_mongo_kafkas_schema_unless_another_is_given(server: ChangeStreamServer) -> None:
    changed = {"updatedFields": {"n": 1}, "removedFields": ["a"], "truncatedArrays": [{"field": "l", "newSize": 2}]}
    props = {"output.format.value": "schema", "output.format.key": "schema"}
    with source(server, at(server, 0), **props) as run:
        server.add(event(1, "update", updateDescription=changed, wallTime=DAY, txnNumber=bson.Int64(7)))
        [record] = run.poll_until(1)
    assert record.value_schema is not None
    assert record.value_schema.name == "ChangeStream"
    assert record.key == {"_id": '{"_data": "820000000000000001"}'}
    assert record.value == {
        "_id": '{"_data": "820000000000000001"}',
        "operationType": "update",
        "fullDocumentBeforeChange": None,
        "fullDocument": None,
        "ns": {"db": "shop", "coll": "orders"},
        "to": None,
        "documentKey": '{"_id": 1}',
        "updateDescription": {
            "updatedFields": '{"n": 1}',
            "removedFields": ["a"],
            "truncatedArrays": [{"field": "l", "newSize": 2}],
            "disambiguatedPaths": None,
        },
        "clusterTime": '{"$timestamp": {"t": 1700000001, "i": 1}}',
        "wallTime": 1_767_312_000_000,
        "txnNumber": 7,
        "lsid": None,
    }
