"""Files of settings, in the form of Java's properties."""

from __future__ import annotations

from pathlib import Path

from kconnect.errors import ConfigError
from kconnect.properties import parse_properties


def read_properties_file(file: Path) -> dict[str, str]:
    """ConfigError that names the file."""
    try:
        return parse_properties(file.read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigError(f"{file} cannot be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(f"{file} is not UTF-8 text: {e.reason} at byte {e.start}") from e
    except ConfigError as e:
        raise ConfigError(f"{file}: {e}") from e
