"""The contract of client override policies: which Kafka client settings a connector may override."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal, TypeAlias

Client: TypeAlias = Literal["producer", "consumer", "admin"]


class ClientOverridePolicy(ABC):
    """Asked about every connector that overrides settings of a Kafka client."""

    def configure(self, props: Mapping[str, str]) -> None:
        """`props` is the worker's configuration."""

    @abstractmethod
    def refused(self, client: Client, overrides: Mapping[str, str]) -> dict[str, str]:
        """Why each refused key of `overrides` (without the `producer.override.` prefix) may not be set."""
