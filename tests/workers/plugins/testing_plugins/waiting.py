"""A transform that asks somebody who is away."""

from __future__ import annotations

from kconnect.config import Config, key
from kconnect.errors import RetriableError
from kconnect.transform import R, Transform


class WaitingConfig(Config):
    at: int = key(doc="The number at which nobody answers.")


class Waiting(Transform[WaitingConfig]):
    def configure(self, config: WaitingConfig) -> None:
        self._at = config.at

    def apply(self, record: R) -> R | None:
        if isinstance(record.value, dict) and record.value["n"] == self._at:
            raise RetriableError("nobody answers")
        return record
