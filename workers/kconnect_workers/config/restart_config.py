"""How what has failed comes back: kconnect's own keys, of a worker and, over the worker's, of a connector."""

from __future__ import annotations

from kconnect.config import LOW, Config, key
from kconnect_workers.config.number_types import Millis

ERRORS = "Error Handling"


class RestartConfig(Config):
    """`errors.restart.*`."""

    errors_restart_enable: bool = key(
        default=True, group=ERRORS, doc="Restart failed connectors and tasks by themselves."
    )
    errors_restart_delay_initial_ms: Millis = key(
        default=1000, importance=LOW, group=ERRORS, doc="Wait before the first restart, in milliseconds; then doubled."
    )
    errors_restart_delay_max_ms: Millis = key(
        default=300000, importance=LOW, group=ERRORS, doc="The longest wait before a restart, in milliseconds."
    )
