"""Fields that get other names: RenameByMapping and RenameByRegExp."""

from __future__ import annotations

from collections.abc import Callable

from kconnect import ConfigError
from kconnect.java_regex import JavaPattern
from kconnect_mongodb.client import Document
from kconnect_mongodb.json_text import json_array

MAPPING = "field.renamer.mapping"
REGEXP = "field.renamer.regexp"

Rename = Callable[[str, str], str]
"""Of a path, `key` or `value` and the documents above, and a name: the new name."""


def by_mapping(setting: str) -> Rename:
    """`[{"oldName": "key.a", "newName": "b"}, …]`. ConfigError for what is none."""
    names = {}
    for each in json_array(setting):
        old, new = each.get("oldName"), each.get("newName")
        if not isinstance(old, str) or not isinstance(new, str):
            raise ConfigError("every item needs oldName and newName", key=MAPPING, value=setting)
        names[old] = new
    return lambda path, name: names.get(f"{path}.{name}", name)


def by_regexp(setting: str) -> Rename:
    """`[{"regexp": "^value\\..*", "pattern": "x", "replace": "y"}, …]`, in Java's syntax. ConfigError for what is
    none."""
    rules = []
    for each in json_array(setting):
        regexp, pattern, replace = (each.get(part) for part in ("regexp", "pattern", "replace"))
        if not isinstance(regexp, str) or not isinstance(pattern, str) or not isinstance(replace, str):
            raise ConfigError("every item needs regexp, pattern and replace", key=REGEXP, value=setting)
        rules.append((_pattern(regexp), _pattern(pattern), replace))

    def rename(path: str, name: str) -> str:
        whole, new = f"{path}.{name}", name
        for regexp, pattern, replace in rules:
            if regexp.matches(whole):
                new = pattern.replace_all(new, replace)
        return new

    return rename


def _pattern(regex: str) -> JavaPattern:
    try:
        return JavaPattern(regex)
    except ConfigError as error:
        raise ConfigError(str(error), key=REGEXP) from error


def renamed(document: Document, path: str, rename: Rename) -> None:
    """In place. A field whose new name is taken goes, as with mongo-kafka; renamed fields come last."""
    moved: Document = {}
    for name in list(document):
        value, new = document[name], rename(path, name)
        if new != name:
            if new not in document:
                moved.setdefault(new, value)
            del document[name]
        if isinstance(value, dict):
            renamed(value, f"{path}.{new}", rename)
    document |= moved
