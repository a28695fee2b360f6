"""The polling source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kconnect import ConfigValue, ConnectError, ExactlyOnceSupport, SourceConnector
from kconnect_http.position import RESERVED, Position
from kconnect_http.source_config import CastormHttpSourceConfig, HttpSourceConfig
from kconnect_http.source_task import PARTITION, HttpSourceTask
from kconnect_http.uncovered import CASTORM, refusals


class HttpSource(SourceConnector[HttpSourceConfig]):
    """One task: a resource is read page after page."""

    task = HttpSourceTask

    def validate(self, props: Mapping[str, str]) -> list[ConfigValue]:
        return [*super().validate(props), *refusals(CASTORM, props)]

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return super().task_configs(min(max_tasks, 1))

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        """Offsets are of pages: what is read again after them may have changed."""
        return ExactlyOnceSupport.UNSUPPORTED

    def alter_offsets(
        self, props: Mapping[str, str], offsets: Mapping[frozenset[tuple[str, Any]], Mapping[str, Any] | None]
    ) -> bool:
        config = self.config_class.parse(props)
        assert isinstance(config, HttpSourceConfig)
        known = {*config.offset_pointers(), *config.initial_offset(), *RESERVED}
        for partition, offset in offsets.items():
            if dict(partition) != PARTITION:
                raise ConnectError(f"the partition {dict(partition)} must be {{}}: a connector reads one resource")
            strange = sorted(set(offset or {}) - known)
            if strange:
                raise ConnectError(
                    f"there is no {', '.join(strange)} in the offsets of this connector: "
                    f"http.response.record.offset.pointer names {', '.join(sorted(known - set(RESERVED))) or 'none'}"
                )
            Position.of_offset(offset or {})
        return True


class CastormHttpSourceTask(HttpSourceTask):
    config_class = CastormHttpSourceConfig


class CastormHttpSource(HttpSource):
    """As castorm's connector writes records, where nothing else is said."""

    config_class = CastormHttpSourceConfig
    task = CastormHttpSourceTask
