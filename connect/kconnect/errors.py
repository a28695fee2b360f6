"""The error tree. A branch means a consequence, not an origin.

ConnectError                     fails the task
├── RetriableError               tried again with back-off
├── DataError                    this record is bad: errors.tolerance decides
├── ConfigError                  refused when validated: key, value, reason, suggestion
├── NotFoundError                there is no such thing (REST 404)
├── AlreadyExistsError           there is one already (REST 409)
└── RebalanceInProgressError     not now: says what is being waited for (REST 409)

A message says what happened, to what (connector, task, topic-partition@offset, field) and what to do.
"""

from __future__ import annotations


class ConnectError(Exception):
    """Something went wrong that ends the task unless a subclass says otherwise."""


class RetriableError(ConnectError):
    """The same call may succeed later: the framework calls again with the same arguments, after a back-off."""


class DataError(ConnectError):
    """A record's data does not fit what was asked of it; `errors.tolerance` decides whether the task goes on."""


class ConfigError(ConnectError):
    """A configuration is refused.

    `key` and `value` name the offending setting (both None when the fault is not of one key; the value of a
    password is never kept), `reason` says what is wrong with it, `suggestion` what to write instead.
    """

    def __init__(
        self,
        reason: str,
        *,
        key: str | None = None,
        value: object = None,
        suggestion: str | None = None,
    ) -> None:
        self.reason = reason
        self.key = key
        self.value = value
        self.suggestion = suggestion
        super().__init__(self._message())

    def _message(self) -> str:
        where = (
            "" if self.key is None else f"{self.key}={self.value!r}: " if self.value is not None else f"{self.key}: "
        )
        return where + self.reason + (f" ({self.suggestion})" if self.suggestion else "")


class NotFoundError(ConnectError):
    """The connector, task, topic or plugin that was named does not exist."""


class AlreadyExistsError(ConnectError):
    """A thing of that name exists already."""


class RebalanceInProgressError(ConnectError):
    """The request cannot be answered while work is being redistributed; try again shortly."""
