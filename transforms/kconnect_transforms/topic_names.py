"""Topics that records carry in them."""

from __future__ import annotations

from typing import Any

from kconnect.errors import DataError
from kconnect.java_text import java_text
from kconnect.recipe import DependsOnRecordError, Kind, Recipe, Side, require_fields
from kconnect.schema import Schema


class TopicFinder:
    """Makes texts, numbers and booleans topics; `where` is what they were read from, for messages. What is null or
    blank is an error, or, with `skip`, leaves the topic as it is."""

    def __init__(self, where: str, *, skip: bool) -> None:
        self._where = where
        self._skip = skip

    def find(self, schema: Schema | None, value: Any) -> str | None:
        """The topic; None leaves it."""
        if value is not None and not isinstance(value, str | bool | int | float):
            raise DataError(f"{self._where} is {type(value).__name__}, and no topic: it must be a text or a number")
        topic = "" if value is None else java_text(schema, value)
        if topic.strip():
            return topic
        self.missing("is null or blank")
        return None

    def missing(self, what: str) -> None:
        """Raises DataError unless that is to be skipped."""
        if not self._skip:
            raise DataError(
                f"{self._where} {what}, and no topic: skip.missing.or.null=true leaves such records where they are"
            )

    def amend(self, recipe: Recipe, schema: Schema | None, expression: str) -> None:
        """Send the record where the value of `expression` says."""
        found = f"{recipe.constant(self.find)}({recipe.constant(schema)}, {expression})"
        recipe.topic = recipe.local(f"{found} or {recipe.topic}")

    def amend_from(self, recipe: Recipe, side: Side, field: str | None) -> None:
        """Send the record where its key or value, or a field of that, says."""
        part = recipe.part(side)
        if field is None:
            if part.kind is Kind.UNKNOWN:
                raise DependsOnRecordError
            if part.kind in (Kind.STRUCT, Kind.MAP):
                raise DataError(f"{self._where} is a {part.kind.name.lower()}, and no topic: name a field of it")
            self.amend(recipe, part.schema, part.expression)
            return
        require_fields(part, "taking the topic from a field")
        if part.schema is None:
            self.amend(recipe, None, f"{part.expression}.get({field!r})")
            return
        column = recipe.columns(side, replace_null=False).get(field)
        if column is None:
            self.missing("is missing")
            return
        value = recipe.or_default(column.expression, column.schema)
        self.amend(recipe, column.schema, value)
