"""The `kconnect` command."""

from __future__ import annotations

from kconnect_workers.cli.app import main

__all__ = ["main"]
