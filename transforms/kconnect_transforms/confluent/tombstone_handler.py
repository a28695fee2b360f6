"""TombstoneHandler: drops records without a value, or fails."""

from __future__ import annotations

import logging
from typing import Annotated

from kconnect.config import MEDIUM, Config, key
from kconnect.validators import CaseInsensitiveValidString
from kconnect_transforms.tombstone_handling import TombstoneHandling


class TombstoneHandlerConfig(Config):
    behavior: Annotated[str, CaseInsensitiveValidString("ignore", "warn", "fail")] = key(
        default="warn",
        importance=MEDIUM,
        doc="What to do about a tombstone: drop it (ignore), drop it and warn in the log (warn), or fail.",
    )


class TombstoneHandler(TombstoneHandling[TombstoneHandlerConfig]):
    """Other records pass as they are."""

    log = logging.getLogger(__name__)

    def configure(self, config: TombstoneHandlerConfig) -> None:
        behavior = config.behavior.lower()
        self.fails = behavior == "fail"
        self.drops_with = logging.WARNING if behavior == "warn" else logging.DEBUG
