"""Every version of every API that is served, asked once: what a version cannot express shows here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from kconnect.log.protocol import requests
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.testing.raw_client import RawClient, batch_of, fetch_request, produce_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from kconnect.log.protocol.message import Message

r = requests

RESOURCES = [(2, "t"), (2, "none"), (4, "1"), (4, "7"), (9, "x")]


def fetch(version: int, topic_id: bytes) -> Message:
    message = fetch_request(0)
    if version >= 13:
        message.topics[0].topic, message.topics[0].topic_id = "", topic_id
    return message


def produce(version: int, topic_id: bytes) -> Message:
    message = produce_request(batch_of(b"x"))
    if version >= 13:
        message.topic_data[0].name, message.topic_data[0].topic_id = "", topic_id
    return message


def metadata(version: int, topic_id: bytes) -> Message:
    named = [r.Metadata.Topic(name=name) for name in ("t", "made on use".replace(" ", "-"), "b/d")]
    by_id = [r.Metadata.Topic(name=None, topic_id=id_) for id_ in (topic_id, b"?" * 16)] if version >= 12 else []
    return r.Metadata(topics=named + by_id)


def list_offsets(version: int, _: bytes) -> Message:
    times = [-1, -2, 0, *([-3] if version >= 7 else [])]
    partitions = [r.ListOffsets.Partition(partition_index=0, timestamp=time) for time in times]
    unknown = r.ListOffsets.Topic(name="none", partitions=partitions)
    return r.ListOffsets(topics=[r.ListOffsets.Topic(name="t", partitions=partitions), unknown])


def offset_commit(_: int, __: bytes) -> Message:
    partitions = [r.OffsetCommit.Partition(partition_index=i, committed_offset=1) for i in (0, 9)]
    return r.OffsetCommit(
        group_id="g",
        generation_id_or_member_epoch=-1,
        topics=[r.OffsetCommit.Topic(name="t", partitions=partitions)],
    )


def offset_fetch(version: int, _: bytes) -> Message:
    if version < 8:
        topics = [r.OffsetFetch.Topic(name="t", partition_indexes=[0, 9])]
        return r.OffsetFetch(group_id="g", topics=topics)
    wanted = [r.OffsetFetch.Topics(name="t", partition_indexes=[0, 9])]
    return r.OffsetFetch(
        groups=[r.OffsetFetch.Group(group_id="g", topics=wanted), r.OffsetFetch.Group(group_id="none", topics=None)]
    )


def find_coordinator(version: int, _: bytes) -> Message:
    return r.FindCoordinator(key="g") if version < 4 else r.FindCoordinator(coordinator_keys=["g", "h"])


def join_group(version: int, _: bytes) -> Message:
    return r.JoinGroup(
        group_id=f"joined-{version}",
        session_timeout_ms=10_000,
        protocol_type="consumer",
        protocols=[r.JoinGroup.Protocol(name="range", metadata=b"m")],
    )


def leave_group(version: int, _: bytes) -> Message:
    if version < 3:
        return r.LeaveGroup(group_id="g", member_id="nobody")
    return r.LeaveGroup(group_id="g", members=[r.LeaveGroup.MemberIdentity(member_id="nobody")])


def create_topics(version: int, _: bytes) -> Message:
    topics = [
        r.CreateTopics.CreatableTopic(name=f"new-{version}", num_partitions=1, replication_factor=1),
        r.CreateTopics.CreatableTopic(name="t", num_partitions=1, replication_factor=1),
    ]
    return r.CreateTopics(topics=topics, timeout_ms=1000)


def delete_topics(version: int, topic_id: bytes) -> Message:
    if version < 6:
        return r.DeleteTopics(topic_names=["none"])
    states = [r.DeleteTopics.DeleteTopicState(name="none"), r.DeleteTopics.DeleteTopicState(topic_id=b"?" * 16)]
    return r.DeleteTopics(topics=states)


def incremental_alter_configs(_: int, __: bytes) -> Message:
    change = r.IncrementalAlterConfigs.AlterableConfig(name="retention.ms", config_operation=0, value="5")
    return r.IncrementalAlterConfigs(
        resources=[
            r.IncrementalAlterConfigs.AlterConfigsResource(resource_type=type_, resource_name=name, configs=[change])
            for type_, name in RESOURCES
        ]
    )


def alter_configs(_: int, __: bytes) -> Message:
    change = r.AlterConfigs.AlterableConfig(name="retention.ms", value="5")
    return r.AlterConfigs(
        resources=[
            r.AlterConfigs.Resource(resource_type=type_, resource_name=name, configs=[change])
            for type_, name in RESOURCES
        ]
    )


def describe_configs(version: int, _: bytes) -> Message:
    return r.DescribeConfigs(
        resources=[
            r.DescribeConfigs.Resource(resource_type=type_, resource_name=name, configuration_keys=None)
            for type_, name in RESOURCES
        ],
        include_synonyms=True,
        include_documentation=version >= 3,
    )


def offset_for_leader_epoch(_: int, __: bytes) -> Message:
    epoch = r.OffsetForLeaderEpoch.OffsetForLeaderPartition(partition=0, leader_epoch=0)
    return r.OffsetForLeaderEpoch(
        topics=[r.OffsetForLeaderEpoch.OffsetForLeaderTopic(topic=t, partitions=[epoch]) for t in ("t", "none")]
    )


def delete_records(_: int, __: bytes) -> Message:
    partition = r.DeleteRecords.Partition(partition_index=0, offset=-1)
    return r.DeleteRecords(topics=[r.DeleteRecords.Topic(name=t, partitions=[partition]) for t in ("t", "none")])


def create_partitions(_: int, __: bytes) -> Message:
    topics = [r.CreatePartitions.Topic(name=t, count=1, assignments=None) for t in ("t", "none")]
    return r.CreatePartitions(topics=topics)


def offset_delete(_: int, __: bytes) -> Message:
    partition = r.OffsetDelete.Partition(partition_index=0)
    return r.OffsetDelete(group_id="g", topics=[r.OffsetDelete.Topic(name="t", partitions=[partition])])


def add_partitions_to_txn(version: int, _: bytes) -> Message:
    topics = [r.AddPartitionsToTxn.Topic(name=name, partitions=[0, 9]) for name in ("t", "none")]
    if version < 4:
        return r.AddPartitionsToTxn(v3_and_below_transactional_id="tx", v3_and_below_topics=topics)
    transactions = [
        r.AddPartitionsToTxn.Transaction(
            transactional_id=name, producer_id=0, producer_epoch=0, verify_only=verify_only, topics=topics
        )
        for name, verify_only in [("tx", True), ("ty", False)]
    ]
    return r.AddPartitionsToTxn(transactions=transactions)


def txn_offset_commit(_: int, __: bytes) -> Message:
    partitions = [r.TxnOffsetCommit.Partition(partition_index=0, committed_offset=1)]
    return r.TxnOffsetCommit(
        transactional_id="tx", group_id="g", topics=[r.TxnOffsetCommit.Topic(name="t", partitions=partitions)]
    )


def write_txn_markers(_: int, __: bytes) -> Message:
    topics = [r.WriteTxnMarkers.WritableTxnMarkerTopic(name=name, partition_indexes=[0]) for name in ("t", "none")]
    return r.WriteTxnMarkers(
        markers=[
            r.WriteTxnMarkers.WritableTxnMarker(
                producer_id=7, producer_epoch=0, transaction_result=True, topics=topics, coordinator_epoch=0
            )
        ]
    )


def describe_producers(_: int, __: bytes) -> Message:
    topics = [r.DescribeProducers.TopicRequest(name=name, partition_indexes=[0, 9]) for name in ("t", "none")]
    return r.DescribeProducers(topics=topics)


def describe_topic_partitions(_: int, __: bytes) -> Message:
    topics = [r.DescribeTopicPartitions.TopicRequest(name=name) for name in ("t", "none", "b/d")]
    return r.DescribeTopicPartitions(topics=topics, response_partition_limit=2000)


ASKS: dict[ApiKey, Callable[[int, bytes], Message]] = {
    ApiKey.PRODUCE: produce,
    ApiKey.FETCH: fetch,
    ApiKey.LIST_OFFSETS: list_offsets,
    ApiKey.METADATA: metadata,
    ApiKey.OFFSET_COMMIT: offset_commit,
    ApiKey.OFFSET_FETCH: offset_fetch,
    ApiKey.FIND_COORDINATOR: find_coordinator,
    ApiKey.JOIN_GROUP: join_group,
    ApiKey.HEARTBEAT: lambda _, __: r.Heartbeat(group_id="g", member_id="nobody"),
    ApiKey.LEAVE_GROUP: leave_group,
    ApiKey.SYNC_GROUP: lambda _, __: r.SyncGroup(group_id="g", member_id="nobody"),
    ApiKey.DESCRIBE_GROUPS: lambda _, __: r.DescribeGroups(groups=["joined-0", "g", "none"]),
    ApiKey.LIST_GROUPS: lambda _, __: r.ListGroups(),
    ApiKey.API_VERSIONS: lambda _, __: r.ApiVersions(),
    ApiKey.CREATE_TOPICS: create_topics,
    ApiKey.DELETE_TOPICS: delete_topics,
    ApiKey.DELETE_RECORDS: delete_records,
    ApiKey.INIT_PRODUCER_ID: lambda _, __: r.InitProducerId(transactional_id=None),
    ApiKey.OFFSET_FOR_LEADER_EPOCH: offset_for_leader_epoch,
    ApiKey.DESCRIBE_CONFIGS: describe_configs,
    ApiKey.ALTER_CONFIGS: alter_configs,
    ApiKey.DESCRIBE_LOG_DIRS: lambda _, __: r.DescribeLogDirs(topics=None),
    ApiKey.CREATE_PARTITIONS: create_partitions,
    ApiKey.DELETE_GROUPS: lambda _, __: r.DeleteGroups(groups_names=["none", "g"]),
    ApiKey.INCREMENTAL_ALTER_CONFIGS: incremental_alter_configs,
    ApiKey.OFFSET_DELETE: offset_delete,
    ApiKey.ADD_PARTITIONS_TO_TXN: add_partitions_to_txn,
    ApiKey.ADD_OFFSETS_TO_TXN: lambda _, __: r.AddOffsetsToTxn(transactional_id="tx", group_id="g"),
    ApiKey.END_TXN: lambda _, __: r.EndTxn(transactional_id="tx"),
    ApiKey.TXN_OFFSET_COMMIT: txn_offset_commit,
    ApiKey.WRITE_TXN_MARKERS: write_txn_markers,
    ApiKey.DESCRIBE_PRODUCERS: describe_producers,
    ApiKey.DESCRIBE_TRANSACTIONS: lambda _, __: r.DescribeTransactions(transactional_ids=["tx", ""]),
    ApiKey.LIST_TRANSACTIONS: lambda _, __: r.ListTransactions(state_filters=["Ongoing", "Unheard"]),
    ApiKey.SASL_HANDSHAKE: lambda _, __: r.SaslHandshake(mechanism="PLAIN"),
    ApiKey.SASL_AUTHENTICATE: lambda _, __: r.SaslAuthenticate(auth_bytes=b"x"),
    ApiKey.DESCRIBE_USER_SCRAM_CREDENTIALS: lambda _, __: r.DescribeUserScramCredentials(users=None),
    ApiKey.ALTER_USER_SCRAM_CREDENTIALS: lambda _, __: r.AlterUserScramCredentials(),
    ApiKey.DESCRIBE_ACLS: lambda _, __: r.DescribeAcls(resource_type_filter=1, operation=1, permission_type=1),
    ApiKey.DESCRIBE_CLIENT_QUOTAS: lambda _, __: r.DescribeClientQuotas(),
    ApiKey.DESCRIBE_TOPIC_PARTITIONS: describe_topic_partitions,
    ApiKey.DESCRIBE_CLUSTER: lambda _, __: r.DescribeCluster(),
}


def test_every_version_that_is_served_is_answered(client: RawClient) -> None:
    topic_id = client.create_topic()
    client.produce(batch_of(b"x"))
    served = client.call(ApiKey.API_VERSIONS, 4, requests.ApiVersions()).api_keys
    assert {api.api_key for api in served} == set(ASKS)
    for api in served:
        key = ApiKey(api.api_key)
        for version in range(api.min_version, api.max_version + 1):
            answer = client.call(key, version, ASKS[key](version, topic_id))
            assert getattr(answer, "error_code", 0) in _EXPECTED.get(key, {ErrorCode.NONE}), (key.name, version)


_EXPECTED = {
    ApiKey.JOIN_GROUP: {ErrorCode.NONE, ErrorCode.MEMBER_ID_REQUIRED},
    ApiKey.HEARTBEAT: {ErrorCode.UNKNOWN_MEMBER_ID},
    ApiKey.SYNC_GROUP: {ErrorCode.UNKNOWN_MEMBER_ID},
    ApiKey.LEAVE_GROUP: {ErrorCode.NONE, ErrorCode.UNKNOWN_MEMBER_ID},
    ApiKey.OFFSET_DELETE: {ErrorCode.GROUP_ID_NOT_FOUND},
    ApiKey.ADD_OFFSETS_TO_TXN: {ErrorCode.INVALID_PRODUCER_ID_MAPPING},
    ApiKey.END_TXN: {ErrorCode.INVALID_PRODUCER_ID_MAPPING},
    ApiKey.SASL_HANDSHAKE: {ErrorCode.ILLEGAL_SASL_STATE},
    ApiKey.SASL_AUTHENTICATE: {ErrorCode.ILLEGAL_SASL_STATE},
    ApiKey.DESCRIBE_ACLS: {ErrorCode.SECURITY_DISABLED},
}


def test_topics_are_described_a_few_partitions_at_a_time(client: RawClient) -> None:
    for name, partitions in [("a", 2), ("b", 3), ("c", 1)]:
        client.create_topic(name, partitions=partitions)
    cursor, pages = None, []
    while True:
        message = r.DescribeTopicPartitions(topics=[], response_partition_limit=2, cursor=cursor)
        answer = client.call(ApiKey.DESCRIBE_TOPIC_PARTITIONS, 0, message)
        pages.append([(topic.name, [p.partition_index for p in topic.partitions]) for topic in answer.topics])
        if answer.next_cursor is None:
            break
        cursor = r.DescribeTopicPartitions.Cursor(
            topic_name=answer.next_cursor.topic_name, partition_index=answer.next_cursor.partition_index
        )
    assert pages == [[("a", [0, 1])], [("b", [0, 1])], [("b", [2]), ("c", [0])]]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"group_id": ""}, ErrorCode.INVALID_GROUP_ID),
        ({"session_timeout_ms": 1}, ErrorCode.INVALID_SESSION_TIMEOUT),
        ({"session_timeout_ms": 10**8}, ErrorCode.INVALID_SESSION_TIMEOUT),
        ({"member_id": "nobody"}, ErrorCode.UNKNOWN_MEMBER_ID),
        ({"protocols": []}, ErrorCode.INCONSISTENT_GROUP_PROTOCOL),
    ],
)
def test_a_join_that_cannot_be_is_refused_and_leaves_no_group(
    client: RawClient, changes: dict[str, Any], code: ErrorCode
) -> None:
    request = join_group(5, b"")
    for name, value in changes.items():
        setattr(request, name, value)
    assert client.call(ApiKey.JOIN_GROUP, 5, request).error_code == code
    assert client.call(ApiKey.LIST_GROUPS, 4, requests.ListGroups()).groups == []
