"""Exactly-once sources (KIP-618), as a worker and a connector are told of them."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from kconnect_workers.states import TaskId

SUPPORT = "exactly.once.source.support"

_STANDALONE = "standalone"


class TransactionBoundary(enum.Enum):
    """`transaction.boundary`: where a transaction ends."""

    POLL = "poll"
    INTERVAL = "interval"
    CONNECTOR = "connector"


def is_enabled(worker_props: Mapping[str, str]) -> bool:
    """Whether this worker's source tasks write in transactions. While a pool is `preparing`, only its leader does."""
    return worker_props.get(SUPPORT, "disabled").strip().lower() == "enabled"


def transactional_id(worker_props: Mapping[str, str], id: TaskId) -> str:
    """Of a task's producer: Kafka Connect's, so that each side fences the other's tasks."""
    return f"{worker_props.get('group.id', _STANDALONE)}-{id}"
