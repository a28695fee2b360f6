"""What a worker lets its connectors reach: the folders of `file.allowed.paths`, the hosts of `egress.allow`, the Python
code of `python.transform.allow`.

A connector that opens files calls `allow_path`, one that connects calls `allow_host`: when its configuration is
validated, and again in its task, which opens the path that it gets back. The framework sets the process's bounds before
it runs plugin code; where it sets none, every folder and host is allowed, and no Python of a configuration's own. Who
does not ask is not held: a plugin is code of the worker's user, and to lock it in is the operating system's task.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from kconnect.errors import ConfigError

PATHS_KEY = "file.allowed.paths"
HOSTS_KEY = "egress.allow"
PYTHON_KEY = "python.transform.allow"

EVERYTHING = "*"
EXPRESSIONS = "expressions"


@dataclass(frozen=True, slots=True)
class AllowedHost:
    """One item of `egress.allow`; `port` None is every port. `host` is in lower case, and `*` in it any characters."""

    host: str
    port: int | None

    @classmethod
    def parse(cls, text: str) -> AllowedHost:
        """`HOST`, `HOST:PORT`, `*.example.com:5432`, `[::1]:5432`. ConfigError for anything else."""
        match = _HOST.fullmatch(text.strip())
        port = None if match is None or match["port"] is None else int(match["port"])
        if match is None or (port is not None and not 0 < port < 65536):
            raise ConfigError("is not HOST or HOST:PORT", key=HOSTS_KEY, value=text, suggestion="such as db.local:5432")
        return cls((match["v6"] or match["host"]).lower(), port)

    def matches(self, host: str, port: int | None) -> bool:
        return fnmatchcase(host, self.host) and self.port in (None, port)


_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[^\s:/\[\]@]+))(?::(?P<port>\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class Bounds:
    """None: no bounds. `folders` are absolute, with links followed. `python` are names of modules, EXPRESSIONS and
    EVERYTHING."""

    folders: tuple[Path, ...] | None = None
    hosts: tuple[AllowedHost, ...] | None = None
    python: frozenset[str] = frozenset()

    @classmethod
    def from_props(cls, props: Mapping[str, Any]) -> Bounds:
        """As a worker's settings say. ConfigError for a host that is none."""
        folders = _items(props.get(PATHS_KEY))
        hosts = _items(props.get(HOSTS_KEY))
        return cls(
            tuple(Path(folder).resolve() for folder in folders) or None,
            tuple(map(AllowedHost.parse, hosts)) or None,
            frozenset(_items(props.get(PYTHON_KEY))),
        )

    def allow_path(self, key: str, path: str | os.PathLike[str]) -> Path:
        try:
            resolved = Path(path).resolve()
        except (ValueError, RuntimeError) as e:  # a NUL or half a surrogate; links in a circle
            raise ConfigError(f"is not a path: {e}", key=key, value=repr(path)) from None
        if self.folders is not None and not any(resolved.is_relative_to(folder) for folder in self.folders):
            link = "" if resolved == Path(path).absolute() else f", which is {resolved},"
            raise ConfigError(
                f"{path}{link} lies outside of what this worker's {PATHS_KEY} allows",
                key=key,
                suggestion=f"allowed: {', '.join(map(str, self.folders))}",
            )
        return resolved

    def allow_host(self, key: str, host: str, port: int | None = None) -> None:
        name = host.strip().strip("[]").rstrip(".").lower()
        if self.hosts is not None and not any(allowed.matches(name, port) for allowed in self.hosts):
            shown = name if port is None else f"{name}:{port}"
            raise ConfigError(
                f"connections to {shown} are not what this worker's {HOSTS_KEY} allows",
                key=key,
                suggestion=f"allowed: {', '.join(map(_written, self.hosts))}",
            )

    def allow_module(self, key: str, module: str) -> None:
        steps = module.split(".")
        parents = {".".join(steps[:length]) for length in range(1, len(steps) + 1)}
        if not self.python & (parents | {EVERYTHING}):
            self._refuse_python(key, module, f"functions of {module}", module)

    def allow_expression(self, key: str, expression: str) -> None:
        if not self.python & {EXPRESSIONS, EVERYTHING}:
            self._refuse_python(key, expression, "Python expressions", EXPRESSIONS)

    def _refuse_python(self, key: str, value: str, what: str, item: str) -> None:
        others = f" beside {', '.join(sorted(self.python))}" if self.python else ""
        raise ConfigError(
            f"{what} are not what this worker's {PYTHON_KEY} allows",
            key=key,
            value=value,
            suggestion=f"who runs the worker can set {PYTHON_KEY}={item}{others}",
        )


_bounds = Bounds()


def set_bounds(bounds: Bounds) -> None:
    """For the framework: what holds in this process from now on."""
    global _bounds
    _bounds = bounds


def allow_path(key: str, path: str | os.PathLike[str]) -> Path:
    """`path` with links followed, which is what to open. ConfigError, naming the setting `key` that it came from, when
    it lies outside of `file.allowed.paths`."""
    return _bounds.allow_path(key, path)


def allow_pattern(key: str, pattern: str) -> None:
    """As `allow_path`, for what a glob pattern can begin with; what it matches is for `allow_path` to judge."""
    fixed = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
    _bounds.allow_path(key, pattern if fixed == pattern else os.path.dirname(fixed) or ".")  # noqa: PTH120 - of a text


def allow_host(key: str, host: str, port: int | None = None) -> None:
    """ConfigError, naming the setting `key` that it came from, when `egress.allow` has no such host. Names are compared
    as they are written: they are not looked up."""
    _bounds.allow_host(key, host, port)


def allow_module(key: str, module: str) -> None:
    """ConfigError, naming the setting `key` that it came from, when `python.transform.allow` has neither the module nor
    a package that it is in."""
    _bounds.allow_module(key, module)


def allow_expression(key: str, expression: str) -> None:
    """ConfigError, naming the setting `key` that it came from, when `python.transform.allow` has no expressions."""
    _bounds.allow_expression(key, expression)


def allowed_path(name: str, value: Any) -> None:
    """A validator of a key that holds a path."""
    if value is not None:
        _bounds.allow_path(name, value)


def allowed_pattern(name: str, value: Any) -> None:
    """A validator of a key that holds a glob pattern."""
    if value is not None:
        allow_pattern(name, value)


def allowed_hosts(name: str, value: Any) -> None:
    """A validator of `egress.allow` itself."""
    for item in value or ():
        AllowedHost.parse(item)


def _items(value: str | Iterable[str] | None) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value or ()
    return [item.strip() for item in items if item.strip()]


def _written(allowed: AllowedHost) -> str:
    host = f"[{allowed.host}]" if ":" in allowed.host else allowed.host
    return host if allowed.port is None else f"{host}:{allowed.port}"
