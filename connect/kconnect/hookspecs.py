"""Every pluggy hook. An implementation returns declarations and imports no driver: listing plugins stays quick."""

from __future__ import annotations

import pluggy

from kconnect.plugin import Plugin

hookspec = pluggy.HookspecMarker("kconnect")
hookimpl = pluggy.HookimplMarker("kconnect")


@hookspec
def register_connectors() -> list[Plugin]:
    """Source and sink connectors."""
    return []


@hookspec
def register_converters() -> list[Plugin]:
    """Key and value converters."""
    return []


@hookspec
def register_header_converters() -> list[Plugin]:
    """Header converters."""
    return []


@hookspec
def register_transforms() -> list[Plugin]:
    """Single-message transforms."""
    return []


@hookspec
def register_predicates() -> list[Plugin]:
    """Predicates for transforms."""
    return []


@hookspec
def register_config_providers() -> list[Plugin]:
    """Config providers, resolving ${provider:path:key}."""
    return []


@hookspec
def register_rest_extensions() -> list[Plugin]:
    """REST extensions (from the worker's own environment only)."""
    return []


@hookspec
def register_client_override_policies() -> list[Plugin]:
    """Policies for client overrides in connector configs (from the worker's own environment only)."""
    return []
