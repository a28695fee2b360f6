"""Connectors that do what a plugin should not, at the place that `bad.at` names."""

from __future__ import annotations

import ctypes
import os
import re
import sys
import threading
from collections.abc import Mapping, Sequence

from kconnect.config import Config, ConfigValue, key
from kconnect.record import SinkRecord, SourceRecord
from kconnect.sink import SinkConnector, SinkTask
from kconnect.source import SourceConnector, SourceTask


class BadConfig(Config):
    bad_at: str = key(default="", doc="Where to misbehave.")
    bad_how: str = key(default="raise", doc="raise, hang, wait, hold, exit, abort, segfault; or what to return.")


def misbehave(config: BadConfig, here: str) -> None:
    if config.bad_at != here:
        return
    match config.bad_how:
        case "raise":
            raise ValueError(f"no good in {here}")
        case "hang":
            threading.Event().wait()
        case "wait":
            threading.Event().wait(2)
        case "hold":  # the interpreter: no other thread runs meanwhile
            re.match("(a+)+$", "a" * 64 + "b")
        case "exit":
            sys.exit(7)
        case "abort":
            print("last words on stderr", file=sys.stderr, flush=True)
            os.abort()
        case "segfault":
            ctypes.string_at(0)


class BadConnector:
    """What bad connectors have in common."""

    def start(self, config: BadConfig) -> None:
        self._config = config
        misbehave(config, "connector.start")

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        misbehave(self._config, "task_configs")
        if self._config.bad_how == "numbers":
            return [{"port": 1}]  # type: ignore[dict-item]
        return [dict(self.props)] * max_tasks  # type: ignore[attr-defined]

    def stop(self) -> None:
        misbehave(self._config, "connector.stop")

    def validate(self, props: Mapping[str, str]) -> list[ConfigValue]:
        misbehave(BadConfig.parse(props), "validate")
        return BadConfig.config_def.validate(props)


class BadSourceTask(SourceTask[BadConfig]):
    _config = BadConfig()

    def start(self, config: BadConfig) -> None:
        self._config = config
        self._idle = threading.Event()
        misbehave(config, "start")

    def poll(self) -> list[SourceRecord] | None:
        misbehave(self._config, "poll")
        if self._config.bad_how == "generator":
            return (record for record in ())  # type: ignore[return-value]
        if self._config.bad_how == "nonsense":
            return ["no record"]  # type: ignore[list-item]
        self._idle.wait(0.05)
        return None

    def stop(self) -> None:
        misbehave(self._config, "stop")


class BadSinkTask(SinkTask[BadConfig]):
    _config = BadConfig()

    def start(self, config: BadConfig) -> None:
        self._config = config
        misbehave(config, "start")

    def put(self, records: Sequence[SinkRecord]) -> None:
        misbehave(self._config, "put")

    def stop(self) -> None:
        misbehave(self._config, "stop")


class BadSource(BadConnector, SourceConnector[BadConfig]):
    task = BadSourceTask


class BadSink(BadConnector, SinkConnector[BadConfig]):
    task = BadSinkTask
