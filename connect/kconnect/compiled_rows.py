"""Records made of a RowBatch's tuples by compiled code, with the transforms that come first already applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from typing import Any, TypeAlias

from kconnect.recipe import Column, DependsOnRecordError, Kind, Part, Recipe, Shape
from kconnect.recipe_transform import CompiledTransforms, RecipeTransform
from kconnect.record import RowBatch, SourceRecord
from kconnect.schema import Schema

RowRun: TypeAlias = Callable[[RowBatch, Iterable[Any], Iterable[Any], Callable[[SourceRecord], None]], None]
"""The batch, its offsets and keys, where new records go."""

_MAX_SCHEMAS = 1000


class CompiledRows:
    """A run of transforms over rows, one function per schema. Used by one thread.

    Without transforms it just builds the records."""

    def __init__(self, transforms: Sequence[RecipeTransform[Any]] = ()) -> None:
        self._transforms = transforms
        self._compiled: CompiledTransforms[SourceRecord] = CompiledTransforms(transforms)
        self._runs: dict[tuple[Schema, Schema | None], tuple[RowRun, bool]] = {}

    def apply(self, batch: RowBatch) -> list[SourceRecord]:
        """One record per row, in order. What a record raises rises; ValueError when a row has not as many values
        as the schema has fields, or there are not as many keys or offsets as rows."""
        if not batch.rows:
            return []
        run, is_whole = self._run_for(batch.schema, batch.key_schema)
        offsets = repeat(None, len(batch.rows)) if batch.source_offsets is None else batch.source_offsets
        keys = repeat(None, len(batch.rows)) if batch.keys is None else batch.keys
        records: list[SourceRecord] = []
        run(batch, offsets, keys, records.append)
        if is_whole:
            return records
        results: list[SourceRecord | None] = []
        self._compiled.apply_into(records, results)
        return [result for result in results if result is not None]  # recipes drop none

    def _run_for(self, schema: Schema, key_schema: Schema | None) -> tuple[RowRun, bool]:
        """The code, and whether it does all transforms or only builds the records."""
        found = self._runs.get((schema, key_schema))
        if found is None:
            if len(self._runs) >= _MAX_SCHEMAS:
                self._runs.clear()
            found = self._runs[schema, key_schema] = self._compile(schema, key_schema)
        return found

    def _compile(self, schema: Schema, key_schema: Schema | None) -> tuple[RowRun, bool]:
        recipe = _RowRecipe(schema, key_schema)
        try:
            for transform in self._transforms:
                transform.amend(recipe)
        except DependsOnRecordError:
            return _RowRecipe(schema, key_schema).compile(), False
        return recipe.compile(), True


class _RowRecipe(Recipe):
    """Starts from a row, as locals `v0`, `v1` …; of keys only the schema is known."""

    def __init__(self, schema: Schema, key_schema: Schema | None) -> None:
        super().__init__(Shape(SourceRecord, key_schema, object, schema, dict))
        self.topic, self.partition, self.timestamp, self.headers = "topic", "None", "timestamp", "()"
        self._width = len(schema.fields)
        columns = {field.name: Column(f"v{field.index}", field.schema) for field in schema.fields}
        self.set_struct("value", schema, columns)
        self.set_part(
            "key",
            Part(
                kind=Kind.UNKNOWN,
                expression="key",
                schema=key_schema,
                schema_expression=self.constant(key_schema),
            ),
        )

    def _source(self) -> Iterable[str]:
        row = "".join(f"v{index}, " for index in range(self._width))
        yield "def run(batch, offsets, keys, append):"
        yield "    topic, timestamp, source_partition = batch.topic, batch.timestamp, batch.source_partition"
        yield f"    for ({row}), source_offset, key in zip(batch.rows, offsets, keys, strict=True):"
        for line in self._lines:
            yield f"        {line}"
        yield f"        append(new_record({self._arguments()}))"

    def _unchanged(self, name: str) -> str:
        return name
