"""The Kafka that a worker was pointed to, where it does not bring its own log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException

from kconnect import kafka
from kconnect.errors import ConnectError
from kconnect.kafka.settings import known
from kconnect_workers.stores.internal_topics import QUIET

ANSWER_SECONDS = 15.0


def cluster_id(client_props: Mapping[str, Any], timeout_s: float = ANSWER_SECONDS) -> str:
    """The id of the cluster at `bootstrap.servers` (`client_props` are an admin client's Java settings), from whichever
    broker answers first. Blocks. ConnectError when none does."""
    admin = kafka.admin({**known(client_props, "admin"), **QUIET})
    try:
        return str(admin.list_topics(timeout=timeout_s).cluster_id)
    except KafkaException as e:
        raise ConnectError(
            f"bootstrap.servers={client_props['bootstrap.servers']}: no broker answered within {timeout_s:g} s "
            f"({e.args[0].str()}); start Kafka, or leave bootstrap.servers out for the worker's own log"
        ) from e
