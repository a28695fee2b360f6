"""Where a source's tolerated records go: kconnect's own keys, named as Kafka Connect names them for sinks."""

from __future__ import annotations

from kconnect.config import Config, key
from kconnect_workers.config.number_types import Short
from kconnect_workers.config.restart_config import ERRORS


class SourceErrorsConfig(Config):
    """`errors.deadletterqueue.*` of a source."""

    errors_deadletterqueue_topic_name: str = key(
        default="",
        group=ERRORS,
        doc="Topic for records that could not be sent on, as far as they got; nowhere if empty. "
        "Needs errors.tolerance=all.",
    )
    errors_deadletterqueue_topic_replication_factor: Short = key(
        default=3, group=ERRORS, doc="Replication factor of that topic, when it is created."
    )
    errors_deadletterqueue_context_headers_enable: bool = key(
        default=False, group=ERRORS, doc="Tell in headers of the dead letters what failed, where and why."
    )
