"""Passwords in connector configs: which keys hold one, hiding their values, and putting stored values back."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping

from kconnect.errors import ConfigError, ConnectError
from kconnect.redaction import HIDDEN, hide_in_url, is_reference, is_url
from kconnect_workers.hosts.messages import ConfigKeyInfo

_logger = logging.getLogger(__name__)

_UNDECLARED = re.compile(
    r"(password|passphrase|secret|token|credential|private[._-]?key|api[._-]?key|access[._-]?key|jaas)", re.IGNORECASE
)
"""Keys that no plugin declares (client overrides, say) are judged by their names."""

_NESTED = re.compile(r"((?:transforms|predicates)\.[^.]+\.)type|((?:key\.|value\.|header\.)converter)")


def restore(props: Mapping[str, str], stored: Mapping[str, str]) -> dict[str, str]:
    """`props` with `[hidden]` replaced by what is stored under the key: it came from an answer of `Secrets.hide`.
    ConfigError when nothing is stored there, or when a URL was changed around it."""
    return {key: _restored(key, value, stored.get(key)) for key, value in props.items()}


def _restored(key: str, value: str, stored: str | None) -> str:
    if value != HIDDEN and (HIDDEN not in value or not is_url(value)):
        return value
    if stored is None or (value != HIDDEN and hide_in_url(stored) != value):
        raise ConfigError(
            f"{HIDDEN} stands for a stored password, and none is stored for this value",
            key=key,
            suggestion=f"write the password instead of {HIDDEN}",
        )
    return stored


class Secrets:
    """`describe` gives the keys that a plugin takes; each plugin is asked for once."""

    def __init__(self, describe: Callable[[str], Awaitable[list[ConfigKeyInfo]]]) -> None:
        self._describe = describe
        self._declared: dict[str, dict[str, bool]] = {}

    async def hide(self, props: Mapping[str, str]) -> dict[str, str]:
        """`props` with passwords as `[hidden]`, those in URLs too. What only refers to a config provider is shown."""
        secret = await self._secret_keys(props)
        return {
            key: HIDDEN if key in secret and value and not is_reference(value) else hide_in_url(value)
            for key, value in props.items()
        }

    async def _secret_keys(self, props: Mapping[str, str]) -> set[str]:
        declared: dict[str, bool] = {}
        for key, value in props.items():
            nested = _NESTED.fullmatch(key)
            if key == "connector.class":
                declared |= await self._passwords(value)
            elif nested:
                prefix = nested[1] or f"{nested[2]}."
                declared |= {prefix + name: secret for name, secret in (await self._passwords(value)).items()}
        return {key for key in props if declared.get(key, bool(_UNDECLARED.search(key)))}

    async def _passwords(self, plugin: str) -> dict[str, bool]:
        """Whether each key that the plugin declares holds a password."""
        if plugin not in self._declared:
            try:
                keys = await self._describe(plugin)
            except ConnectError as e:
                # Not remembered: the plugin may be installed later. Names decide meanwhile.
                _logger.debug("the keys of %s are not known: %s", plugin, e)
                return {}
            self._declared[plugin] = {key.name: key.type == "PASSWORD" for key in keys}
        return self._declared[plugin]
