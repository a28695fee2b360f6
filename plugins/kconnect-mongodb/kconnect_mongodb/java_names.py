"""Classes of mongo-kafka that are named in configurations: what is built in here answers to their names."""

from __future__ import annotations

from collections.abc import Iterable

from kconnect import ConfigError

_ROOT = "com.mongodb.kafka.connect."


class JavaName:
    """A validator of a key that names one of some classes, by the full name or its last part.

    `classes` are names below com.mongodb.kafka.connect. Of two with one last part the first is meant by that."""

    def __init__(self, *classes: str, empty: bool = False) -> None:
        self._names: dict[str, str] = {"": ""} if empty else {}
        for name in classes:
            self._names[_ROOT + name] = name
            self._names.setdefault(name.rpartition(".")[2], name)
        self._shown = list(dict.fromkeys(name.rpartition(".")[2] for name in classes))

    def __call__(self, name: str, value: object) -> None:
        for item in value if isinstance(value, list) else [value]:
            self.resolve(name, str(item))

    def resolve(self, key: str, name: str) -> str:
        """The class below com.mongodb.kafka.connect. ConfigError for one that is not there."""
        found = self._names.get(name.strip())
        if found is None:
            raise ConfigError(
                "is a class that is not here: Java's code does not run",
                key=key,
                value=name,
                suggestion=f"one of {', '.join(self._shown)}",
            )
        return found

    def __str__(self) -> str:
        return f"[{', '.join(self._shown)}]"


def full_names(package: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{package}.{name}" for name in names)
