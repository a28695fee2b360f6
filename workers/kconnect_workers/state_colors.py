"""The colours that states have on a terminal, wherever they are shown there."""

from __future__ import annotations

STATE_COLORS = {
    "RUNNING": "green",
    "FAILED": "red",
    "PAUSED": "yellow",
    "STOPPED": "yellow",
    "UNASSIGNED": "magenta",
}
