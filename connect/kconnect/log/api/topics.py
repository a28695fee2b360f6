"""CreateTopics, CreatePartitions, DeleteTopics, DeleteRecords."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from kconnect.log.api.config_entries import created_entries
from kconnect.log.api.lookup import find_topic, partition_of
from kconnect.log.errors import RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api

if TYPE_CHECKING:
    from kconnect.log.routing import Call
    from kconnect.log.settings import BrokerSettings
    from kconnect.log.storage.topic_store import TopicStore
    from kconnect.log.topic_admin import TopicAdmin

_HIGH_WATERMARK = -1


class TopicsApi:
    """Topics and partitions as administrators see them."""

    def __init__(self, topics: TopicStore, admin: TopicAdmin, settings: BrokerSettings) -> None:
        self._topics = topics
        self._admin = admin
        self._defaults = settings.topic_defaults

    def apis(self) -> list[Api]:
        return [
            Api(ApiKey.CREATE_TOPICS, 2, 7, self.create_topics),
            Api(ApiKey.DELETE_TOPICS, 1, 6, self.delete_topics),
            Api(ApiKey.DELETE_RECORDS, 0, 2, self.delete_records),
            Api(ApiKey.CREATE_PARTITIONS, 0, 3, self.create_partitions),
        ]

    def create_topics(self, request: requests.CreateTopics, _: Call) -> responses.CreateTopics:
        repeated = {name for name, count in Counter(t.name for t in request.topics).items() if count > 1}
        answers = []
        for wanted in request.topics:
            try:
                if wanted.name in repeated:
                    raise RequestError(ErrorCode.INVALID_REQUEST, f"topic {wanted.name!r} is asked for twice")
                answers.append(self._create(wanted, validate_only=request.validate_only))
            except RequestError as e:
                answers.append(
                    responses.CreateTopics.CreatableTopicResult(
                        name=wanted.name, error_code=e.code, error_message=e.message
                    )
                )
        return responses.CreateTopics(topics=answers)

    def _create(
        self, wanted: requests.CreateTopics.CreatableTopic, *, validate_only: bool
    ) -> responses.CreateTopics.CreatableTopicResult:
        configs = {config.name: config.value for config in wanted.configs if config.value is not None}
        topic, partitions = self._admin.create(
            wanted.name,
            partitions=wanted.num_partitions,
            replication_factor=wanted.replication_factor,
            assignments={a.partition_index: a.broker_ids for a in wanted.assignments},
            configs=configs,
            validate_only=validate_only,
        )
        result = responses.CreateTopics.CreatableTopicResult(
            name=wanted.name,
            num_partitions=partitions,
            replication_factor=1,
            configs=created_entries(configs, self._defaults),
        )
        if topic is not None:
            result.topic_id = topic.topic_id
        return result

    def delete_topics(self, request: requests.DeleteTopics, call: Call) -> responses.DeleteTopics:
        if call.version < 6:
            doomed = [requests.DeleteTopics.DeleteTopicState(name=name) for name in request.topic_names]
        else:
            doomed = list(request.topics)
        answers = []
        for wanted in doomed:
            answer = responses.DeleteTopics.DeletableTopicResult(name=wanted.name, topic_id=wanted.topic_id)
            try:
                topic = find_topic(self._topics, wanted.name, wanted.topic_id)
                answer.name, answer.topic_id = topic.name, topic.topic_id
                self._admin.delete(topic)
            except RequestError as e:
                answer.error_code, answer.error_message = e.code, e.message
            answers.append(answer)
        return responses.DeleteTopics(responses=answers)

    def create_partitions(self, request: requests.CreatePartitions, _: Call) -> responses.CreatePartitions:
        answers = []
        for wanted in request.topics:
            answer = responses.CreatePartitions.TopicResult(name=wanted.name)
            try:
                topic = find_topic(self._topics, wanted.name)
                assignments = None if wanted.assignments is None else [a.broker_ids for a in wanted.assignments]
                self._admin.add_partitions(topic, wanted.count, assignments, validate_only=request.validate_only)
            except RequestError as e:
                answer.error_code, answer.error_message = e.code, e.message
            answers.append(answer)
        return responses.CreatePartitions(results=answers)

    def delete_records(self, request: requests.DeleteRecords, _: Call) -> responses.DeleteRecords:
        return responses.DeleteRecords(
            topics=[
                responses.DeleteRecords.TopicResult(
                    name=wanted.name, partitions=[self._delete_records(wanted.name, p) for p in wanted.partitions]
                )
                for wanted in request.topics
            ]
        )

    def _delete_records(
        self, topic: str, wanted: requests.DeleteRecords.Partition
    ) -> responses.DeleteRecords.PartitionResult:
        answer = responses.DeleteRecords.PartitionResult(partition_index=wanted.partition_index, low_watermark=-1)
        try:
            found = find_topic(self._topics, topic)
            if found.is_internal:
                raise RequestError(ErrorCode.INVALID_TOPIC_EXCEPTION)
            if "delete" not in found.config.cleanup_policy:
                raise RequestError(ErrorCode.POLICY_VIOLATION)
            partition = partition_of(found, wanted.partition_index)
            offset = partition.high_watermark if wanted.offset == _HIGH_WATERMARK else wanted.offset
            answer.low_watermark = partition.truncate_front(offset)
            self._topics.write_log_starts()
        except RequestError as e:
            answer.error_code = e.code
        except OSError:
            answer.error_code = ErrorCode.KAFKA_STORAGE_ERROR
        return answer
