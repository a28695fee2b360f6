"""The file of a worker's settings, as it is named on the command line."""

from __future__ import annotations

from pathlib import Path

from kconnect.errors import ConfigError
from kconnect_workers.config.properties_file import read_properties_file


def read_worker_file(file: Path) -> dict[str, str]:
    """ConfigError that names the file, also for one that holds a connector's config: the worker's comes first."""
    props = read_properties_file(file)
    if "connector.class" in props or next(iter(props), "").startswith("{"):
        raise ConfigError(
            f"{file} holds a connector's config, and a worker's comes before it",
            suggestion=f"kconnect standalone worker.properties {file}; or kconnect apply {file}, while a worker runs",
        )
    return props
