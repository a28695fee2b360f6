"""The HTTP sinks: one with Aiven's keys and more, one with Confluent's."""

from __future__ import annotations

from collections.abc import Mapping

from kconnect import ConfigValue, SinkConnector
from kconnect_http.confluent_config import ConfluentHttpSinkConfig
from kconnect_http.sink_config import HttpSinkConfig
from kconnect_http.sink_settings import SinkSettings
from kconnect_http.sink_task import HttpTask
from kconnect_http.uncovered import CONFLUENT, refusals


class HttpSinkTask(HttpTask[HttpSinkConfig]):
    def settings_of(self, config: HttpSinkConfig) -> SinkSettings:
        return config.settings()


class ConfluentHttpSinkTask(HttpTask[ConfluentHttpSinkConfig]):
    def settings_of(self, config: ConfluentHttpSinkConfig) -> SinkSettings:
        return config.settings()


class HttpSink(SinkConnector[HttpSinkConfig]):
    task = HttpSinkTask


class ConfluentHttpSink(SinkConnector[ConfluentHttpSinkConfig]):
    task = ConfluentHttpSinkTask

    def validate(self, props: Mapping[str, str]) -> list[ConfigValue]:
        return [*super().validate(props), *refusals(CONFLUENT, props)]
