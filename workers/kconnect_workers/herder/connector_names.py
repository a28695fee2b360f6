"""Which names a connector may have."""

from __future__ import annotations

from collections.abc import Mapping

from kconnect.errors import ConfigError


def named(props: Mapping[str, str], name: str) -> dict[str, str]:
    """`props` with `name` as their `name`. ConfigError when they carry another one."""
    own = props.get("name", name)
    if own != name:
        raise ConfigError(f"Connector name configuration ({own}) doesn't match connector name in the URL ({name})")
    return {**props, "name": name}
