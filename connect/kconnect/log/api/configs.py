"""DescribeConfigs, AlterConfigs, IncrementalAlterConfigs."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from kconnect.log.api.config_entries import STATIC_BROKER_CONFIG, described_entries
from kconnect.log.api.lookup import find_topic
from kconnect.log.errors import RequestError
from kconnect.log.protocol import requests, responses
from kconnect.log.protocol.api_key import ApiKey
from kconnect.log.protocol.error_code import ErrorCode
from kconnect.log.routing import Api
from kconnect.log.topic_admin import NODE_ID
from kconnect.log.topic_config import BROKER_KEYS, KEYS, ConfigType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kconnect.log.routing import Call
    from kconnect.log.settings import BrokerSettings
    from kconnect.log.storage.topic_store import TopicStore
    from kconnect.log.topic_admin import TopicAdmin

_TOPIC = 2
_BROKER = 4


class Operation(IntEnum):
    """What IncrementalAlterConfigs does to one config."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class ConfigsApi:
    """Topic configs may be read and changed; a broker's only read."""

    def __init__(self, topics: TopicStore, admin: TopicAdmin, settings: BrokerSettings) -> None:
        self._topics = topics
        self._admin = admin
        self._broker_configs = {
            "auto.create.topics.enable": str(settings.auto_create_topics).lower(),
            "num.partitions": str(settings.num_partitions),
            "default.replication.factor": "1",
            "offsets.topic.num.partitions": str(settings.offsets_topic_partitions),
            "offsets.topic.replication.factor": "1",
            **{
                name: settings.topic_defaults.get(topic_key, KEYS[topic_key].default)
                for name, topic_key in BROKER_KEYS.items()
            },
        }
        self._topic_defaults = settings.topic_defaults

    def apis(self) -> list[Api]:
        return [
            Api(ApiKey.DESCRIBE_CONFIGS, 1, 4, self.describe),
            Api(ApiKey.ALTER_CONFIGS, 0, 2, self.alter),
            Api(ApiKey.INCREMENTAL_ALTER_CONFIGS, 0, 1, self.alter_incrementally),
        ]

    def describe(self, request: requests.DescribeConfigs, _: Call) -> responses.DescribeConfigs:
        answers = []
        for resource in request.resources:
            answer = responses.DescribeConfigs.Result(
                resource_type=resource.resource_type, resource_name=resource.resource_name
            )
            try:
                answer.configs = self._entries(resource, request)
            except RequestError as e:
                answer.error_code, answer.error_message = e.code, e.message
            answers.append(answer)
        return responses.DescribeConfigs(results=answers)

    def _entries(
        self, resource: requests.DescribeConfigs.Resource, request: requests.DescribeConfigs
    ) -> list[responses.DescribeConfigs.ResourceResult]:
        only = resource.configuration_keys
        if resource.resource_type == _TOPIC:
            return described_entries(
                find_topic(self._topics, resource.resource_name).overrides,
                self._topic_defaults,
                only=only,
                synonyms=request.include_synonyms,
                documentation=request.include_documentation,
            )
        if resource.resource_type == _BROKER:
            if resource.resource_name not in ("", str(NODE_ID)):
                raise RequestError(
                    ErrorCode.INVALID_REQUEST, f"there is no broker {resource.resource_name!r}, only {NODE_ID}"
                )
            return [
                responses.DescribeConfigs.ResourceResult(
                    name=name,
                    value=value,
                    read_only=True,
                    config_source=STATIC_BROKER_CONFIG,
                    config_type=ConfigType.STRING,
                )
                for name, value in self._broker_configs.items()
                if resource.resource_name and (only is None or name in only)
            ]
        raise RequestError(ErrorCode.INVALID_REQUEST, "topics and brokers have configs here, nothing else does")

    def alter(self, request: requests.AlterConfigs, _: Call) -> responses.AlterConfigs:
        answers = []
        for resource in request.resources:
            answer = responses.AlterConfigs.ResourceResponse(
                resource_type=resource.resource_type, resource_name=resource.resource_name
            )
            try:
                _refuse_other_than_topic(resource.resource_type)
                topic = find_topic(self._topics, resource.resource_name)
                overrides = {config.name: config.value for config in resource.configs if config.value is not None}
                self._admin.configure(topic, overrides, validate_only=request.validate_only)
            except RequestError as e:
                answer.error_code, answer.error_message = e.code, e.message
            answers.append(answer)
        return responses.AlterConfigs(responses=answers)

    def alter_incrementally(
        self, request: requests.IncrementalAlterConfigs, _: Call
    ) -> responses.IncrementalAlterConfigs:
        answers = []
        for resource in request.resources:
            answer = responses.IncrementalAlterConfigs.AlterConfigsResourceResponse(
                resource_type=resource.resource_type, resource_name=resource.resource_name
            )
            try:
                _refuse_other_than_topic(resource.resource_type)
                topic = find_topic(self._topics, resource.resource_name)
                overrides = dict(topic.overrides)
                for change in resource.configs:
                    _apply(change, overrides, self._topic_defaults)
                self._admin.configure(topic, overrides, validate_only=request.validate_only)
            except RequestError as e:
                answer.error_code, answer.error_message = e.code, e.message
            answers.append(answer)
        return responses.IncrementalAlterConfigs(responses=answers)


def _refuse_other_than_topic(resource_type: int) -> None:
    if resource_type != _TOPIC:
        raise RequestError(
            ErrorCode.INVALID_REQUEST, "only the configs of topics can be changed; a broker's are given when it starts"
        )


def _apply(
    change: requests.IncrementalAlterConfigs.AlterableConfig, overrides: dict[str, str], defaults: Mapping[str, str]
) -> None:
    """Make one change to `overrides`; lists grow from `defaults`. Raises RequestError."""
    name, value = change.name, change.value
    if change.config_operation == Operation.DELETE:
        overrides.pop(name, None)
        return
    if value is None:
        raise RequestError(ErrorCode.INVALID_REQUEST, f"{name} needs a value")
    if change.config_operation == Operation.SET:
        overrides[name] = value
        return
    key = KEYS.get(name)
    if key is None or key.type is not ConfigType.LIST:
        raise RequestError(ErrorCode.INVALID_CONFIG, f"{name} is not a list: nothing can be appended or taken away")
    present = [item for item in overrides.get(name, defaults.get(name, key.default)).split(",") if item]
    items = [item.strip() for item in value.split(",") if item.strip()]
    if change.config_operation == Operation.APPEND:
        present += [item for item in items if item not in present]
    elif change.config_operation == Operation.SUBTRACT:
        present = [item for item in present if item not in items]
    else:
        raise RequestError(ErrorCode.INVALID_REQUEST, f"there is no operation {change.config_operation}")
    overrides[name] = ",".join(present)
