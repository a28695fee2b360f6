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
    behavior: Annotated[str, CaseInsensitiveValidString("drop_silent", "drop_warn", "fail")] = key(
        importance=MEDIUM,
        doc="What to do about a tombstone: drop it (drop_silent), drop it and warn in the log (drop_warn), or fail.",
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
        if self._behavior == "drop_warn":
            _log.warning("a tombstone for the key %.100r: dropped", record.key)
        return None
