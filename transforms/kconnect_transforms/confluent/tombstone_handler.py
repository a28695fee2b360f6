"""TombstoneHandler: drops records without a value, or fails."""

from __future__ import annotations

import logging
from typing import Annotated

from kconnect.config import MEDIUM, Config, key
from kconnect.errors import DataError
from kconnect.transform import R, Transform
from kconnect.validators import CaseInsensitiveValidString

_log = logging.getLogger(__name__)


class TombstoneHandlerConfig(Config):
    behavior: Annotated[str, CaseInsensitiveValidString("ignore", "warn", "fail")] = key(
        default="warn",
        importance=MEDIUM,
        doc="What to do about a tombstone: drop it (ignore), drop it and warn in the log (warn), or fail.",
    )


class TombstoneHandler(Transform[TombstoneHandlerConfig]):
    """Other records pass as they are."""

    def configure(self, config: TombstoneHandlerConfig) -> None:
        self._behavior = config.behavior.lower()

    def apply(self, record: R) -> R | None:
        if record.value is not None:
            return record
        if self._behavior == "fail":
            raise DataError(f"a tombstone for the key {record.key!r:.100} (behavior=fail)")
        level = logging.WARNING if self._behavior == "warn" else logging.DEBUG
        _log.log(level, "a tombstone for the key %.100r: dropped", record.key)
        return None
