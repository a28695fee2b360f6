"""Which topic an event goes to: mongo-kafka's DefaultTopicMapper."""

from __future__ import annotations

import re
from collections.abc import Callable

from kconnect import ConfigError
from kconnect.java_regex import JavaPattern
from kconnect_mongodb.client import Document
from kconnect_mongodb.json_text import json_document
from kconnect_mongodb.namespaces import field_at
from kconnect_mongodb.source_config import MongoSourceConfig

KEY = "topic.namespace.map"
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_MOST_NAMES = 10_000

Template = Callable[[str, str], str]
"""Of database and collection, which may be empty: a topic."""


class TopicMapper:
    """ConfigError for a map that is none."""

    def __init__(self, config: MongoSourceConfig) -> None:
        separator = self._separator = config.topic_separator
        self._prefix = f"{config.topic_prefix}{separator}" if config.topic_prefix else ""
        self._suffix = f"{separator}{config.topic_suffix}" if config.topic_suffix else ""
        self._simple: dict[str, str] = {}
        self._regexes: list[tuple[JavaPattern, Template]] = []
        self._any = ""
        self._known: dict[tuple[str, str], str] = {}
        for pattern, topic in (json_document(config.topic_map) if config.topic_map.strip() else {}).items():
            self._add(pattern, topic)

    def topic_of(self, event: Document) -> str:
        """Empty for an event of no database."""
        place = event.get("ns")
        database, collection = (_text(field_at(place, name) if isinstance(place, dict) else None) for name in _PLACE)
        if not database:
            return ""
        topic = self._known.get((database, collection))
        if topic is None:
            if len(self._known) >= _MOST_NAMES:
                self._known.clear()
            named = self._named(database, collection)
            topic = self._known[database, collection] = f"{self._prefix}{named}{self._suffix}"
        return topic

    def _add(self, pattern: str, topic: object) -> None:
        if not isinstance(topic, str):
            raise ConfigError(f"{pattern} names no topic: values must be text", key=KEY)
        if pattern == "*":
            self._any = topic
        elif pattern.startswith("/"):
            try:
                regex = JavaPattern(pattern[1:])
            except ConfigError as error:
                raise ConfigError(f"{pattern}: {error.reason}", key=KEY) from error
            template = self._template(topic)
            if topic:
                self._regexes.append((regex, template))
        elif "/" in pattern:
            raise ConfigError(f"{pattern} has a / within: a regular expression begins with it", key=KEY)
        elif topic:
            self._simple[pattern] = topic

    def _template(self, topic: str) -> Template:
        sep = self._separator
        unknown = [name for name in _VARIABLE.findall(topic) if name not in _variables("", "", sep)]
        if unknown or re.search(r"[{}]", _VARIABLE.sub("", topic)):
            what = f"{{{unknown[0]}}}, which is no variable" if unknown else "a brace of no variable"
            raise ConfigError(
                f"{topic} has {what}", key=KEY, suggestion=f"one of {', '.join(_variables('', '', sep))} in braces"
            )
        return lambda database, collection: _VARIABLE.sub(
            lambda match: _variables(database, collection, sep)[match[1]], topic
        )

    def _named(self, database: str, collection: str) -> str:
        namespace = f"{database}.{collection}" if collection else database
        if namespace in self._simple:
            return self._simple[namespace]
        if database in self._simple:
            return self._joined(self._simple[database], collection)
        for regex, template in self._regexes:
            if regex.matches(namespace):
                return template(database, collection)
        return self._any or self._joined(database, collection)

    def _joined(self, first: str, collection: str) -> str:
        return f"{first}{self._separator}{collection}" if collection else first


_PLACE = ("db", "coll")


def _variables(database: str, collection: str, separator: str) -> dict[str, str]:
    before, after = (separator, separator) if collection else ("", "")
    return {
        "db": database,
        "sep": separator,
        "coll": collection,
        "sep_coll": f"{before}{collection}",
        "coll_sep": f"{collection}{after}",
        "sep_coll_sep": f"{before}{collection}{after}",
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
