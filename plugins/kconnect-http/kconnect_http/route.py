"""Paths that take webhooks, and the topics that they lead to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from kconnect import ConfigError

_STEP: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_NAMED: Final = re.compile(r"\{([A-Za-z_]\w*)\}")
_VARIABLE: Final = re.compile(r"\$\{([^}]*)\}")
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


class Route:
    """A path such as `/hooks/{shop}`: a named step matches one that a topic's name can have in it."""

    def __init__(self, path: str) -> None:
        """ConfigError for what is no path."""
        if not path.startswith("/"):
            raise ConfigError(f"{path!r} is no path", key="webhook.paths", suggestion="such as /hooks/{shop}")
        self.path = path
        self._steps = path.split("/")
        self.names = [match[1] for step in self._steps if (match := _NAMED.fullmatch(step))]
        if any(("{" in step or "}" in step) and not _NAMED.fullmatch(step) for step in self._steps):
            raise ConfigError(f"{path!r}: a name in braces is a whole step", key="webhook.paths")

    def match(self, path: str) -> dict[str, str] | None:
        """The named steps of `path`; None for another path."""
        steps = path.split("/")
        if len(steps) != len(self._steps):
            return None
        found = {}
        for own, step in zip(self._steps, steps, strict=True):
            named = _NAMED.fullmatch(own)
            if named is not None and _STEP.fullmatch(step) and step not in (".", ".."):
                found[named[1]] = step
            elif own != step:
                return None
        return found


class TopicTemplate:
    """ConfigError for a variable that is none, or that one of the routes lacks."""

    def __init__(self, text: str, routes: Sequence[Route]) -> None:
        parts = _VARIABLE.split(text)
        self._texts = parts[::2]
        self._variables: list[tuple[str, str]] = []
        for variable in parts[1::2]:
            kind, _, name = variable.partition(".")
            if kind not in ("path", "header") or not name:
                raise ConfigError(f"${{{variable}}} is neither ${{path.…}} nor ${{header.…}}", key="topic")
            lacking = [route.path for route in routes if kind == "path" and name not in route.names]
            if lacking:
                raise ConfigError(f"there is no {{{name}}} in {lacking[0]} of webhook.paths", key="topic")
            self._variables.append((kind, name.lower() if kind == "header" else name))

    def render(self, path: Mapping[str, str], headers: Mapping[str, str]) -> str | None:
        """None where that is no name of a topic."""
        parts = [self._texts[0]]
        for (kind, name), text in zip(self._variables, self._texts[1:], strict=True):
            value = (path if kind == "path" else headers).get(name)
            if value is None:
                return None
            parts += (value, text)
        topic = "".join(parts)
        return topic if _TOPIC.fullmatch(topic) and topic not in (".", "..") and not topic.startswith("__") else None
