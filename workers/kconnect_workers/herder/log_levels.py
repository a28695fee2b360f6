"""Log levels, of the worker and of every process that it runs, in Kafka's words."""

from __future__ import annotations

import logging
import time

import msgspec

from kconnect.errors import NotFoundError
from kconnect_workers.herder.runner import ConnectorRunner

LEVELS = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
    "OFF": logging.CRITICAL + 10,
}
_PYTHON_NAMES = {"TRACE": "DEBUG", "OFF": "CRITICAL"}
_NAMES = {number: name for name, number in LEVELS.items()}
_ROOT = "root"


class LogLevel(msgspec.Struct, frozen=True):
    level: str
    last_modified: int | None
    """Milliseconds since the epoch; None where it is as the worker found it."""


class LogLevels:
    """Those that were changed are remembered until the worker ends."""

    def __init__(self, environment: ConnectorRunner) -> None:
        self._environment = environment
        self._modified: dict[str, int] = {}

    def all(self) -> dict[str, LogLevel]:
        """Every logger of this process that has been used, by name."""
        return {name: self.of(name) for name in sorted([*_known(), _ROOT])}

    def of(self, name: str) -> LogLevel:
        """NotFoundError for a logger that has not been used."""
        if name != _ROOT and name not in _known():
            raise NotFoundError(f"Logger {name} not found.")
        number = _logger(name).getEffectiveLevel()
        return LogLevel(_NAMES.get(number, str(number)), self._modified.get(name))

    def set(self, name: str, level: str) -> list[str]:
        """Set the level of a logger and of those below it; the names of those that had another one. NotFoundError for
        what is no level."""
        level = checked(level)
        _logger(name)
        below = [known for known in _known() if known == name or known.startswith(f"{name}.") or name == _ROOT]
        changed = []
        for known in sorted({*below, name}):
            logger = _logger(known)
            if logger.level != LEVELS[level]:
                changed.append(known)
                self._modified[known] = int(time.time() * 1000)
            logger.setLevel(LEVELS[level])
        self._environment.set_log_level(name, _PYTHON_NAMES.get(level, level))
        return changed


def checked(level: object) -> str:
    """A level's name as Kafka writes it. NotFoundError for what is no level."""
    name = str(level).upper()
    if name not in LEVELS:
        raise NotFoundError(f"invalid log level {level!r}: choose one of {', '.join(LEVELS)}")
    return name


def _known() -> list[str]:
    return [name for name, logger in logging.root.manager.loggerDict.items() if isinstance(logger, logging.Logger)]


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(None if name == _ROOT else name)
