"""A topic and the rules for its name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kconnect.log.errors import RequestError
from kconnect.log.protocol.error_code import ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kconnect.log.storage.partition import Partition
    from kconnect.log.topic_config import TopicConfig

OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"
INTERNAL_TOPICS = frozenset({OFFSETS_TOPIC, TRANSACTIONS_TOPIC})

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")


@dataclass(slots=True, eq=False)
class Topic:
    """A topic with its open partitions. `overrides` are its configs as they were set."""

    name: str
    topic_id: bytes
    config: TopicConfig
    overrides: dict[str, str]
    partitions: list[Partition] = field(default_factory=list)

    @property
    def is_internal(self) -> bool:
        """Whether the log itself writes it."""
        return self.name in INTERNAL_TOPICS


def check_topic_name(name: str, existing: Iterable[str]) -> None:
    """Refuse names that Kafka refuses; they become file names. Raises RequestError INVALID_TOPIC_EXCEPTION."""
    if not _NAME.fullmatch(name) or name in (".", ".."):
        raise RequestError(
            ErrorCode.INVALID_TOPIC_EXCEPTION,
            f"{name!r} cannot name a topic: 1 to 249 of the characters a-z A-Z 0-9 . _ - are possible",
        )
    flat = name.replace(".", "_")
    for other in existing:
        if other != name and other.replace(".", "_") == flat:
            raise RequestError(
                ErrorCode.INVALID_TOPIC_EXCEPTION, f"{name!r} differs from topic {other!r} by '.' and '_' alone"
            )
