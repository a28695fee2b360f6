"""What a host's Kafka clients say, in its log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from kconnect.kafka.client import Client
from kconnect.kafka.client_log import ClientLog
from kconnect.kafka.settings import known


def client_log(client_props: Mapping[str, str], remark: Callable[[str | None], None] = lambda _text: None) -> ClientLog:
    """For clients of the cluster that `client_props` lead to."""

    def probe() -> None:
        with Client(known(client_props, "admin"), client_id="connector-probe") as client:
            client.describe_cluster()

    return ClientLog(logging.getLogger("kconnect.kafka"), probe, remark=remark)
