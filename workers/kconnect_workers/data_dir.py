"""Where a user's data lies when no folder is named."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def default_data_dir() -> Path:
    """A folder of this user's own, the same from wherever a command is started; it need not exist yet."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "kconnect"
    home = os.environ.get("XDG_DATA_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".local" / "share") / "kconnect"
