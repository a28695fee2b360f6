"""Puts a connector's name into its config, which may leave it out and may not say another."""

from __future__ import annotations

from collections.abc import Mapping

from kconnect.errors import ConfigError


def named(props: Mapping[str, str], name: str) -> dict[str, str]:
    """`props` with `name` as their `name`. ConfigError when they carry another one."""
    own = props.get("name", name)
    if own != name:
        raise ConfigError(
            f"the connector is called {name!r}, and its config says otherwise",
            key="name",
            value=own,
            suggestion="leave the name out of the config, or delete the connector and make it anew to rename it",
        )
    return {**props, "name": name}
