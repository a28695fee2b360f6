"""Transforms that are given as recipes, and the compiling of neighbours of them into one function."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from kconnect.config import Config
from kconnect.recipe import DependsOnRecordError, Recipe, Run, Shape
from kconnect.record import SinkRecord, SourceRecord
from kconnect.transform import Transform

C = TypeVar("C", bound=Config)
R = TypeVar("R", SourceRecord, SinkRecord)

_MAX_SHAPES = 1000


class RecipeTransform(Transform[C]):
    """A transform given by what it makes of a record's parts (`kconnect.recipe`), once per shape of record.

    Neighbours of this kind are compiled into one function, which builds each new record once. Drops no record."""

    @abstractmethod
    def amend(self, recipe: Recipe) -> None:
        """Change `recipe` to what this transform makes of it. Called after `configure`, again for every shape."""

    def apply(self, record: R) -> R | None:
        return self.apply_batch([record])[0]

    def apply_batch(self, records: Sequence[R]) -> list[R | None]:
        results: list[R | None] = []
        self._compiled.apply_into(records, results)
        return results

    @cached_property
    def _compiled(self) -> CompiledTransforms[Any]:
        return CompiledTransforms([self])


class CompiledTransforms(Generic[R]):
    """A run of transforms as one function per shape. Used by one thread."""

    def __init__(self, transforms: Sequence[RecipeTransform[Any]]) -> None:
        self._transforms = transforms
        self._runs: dict[Shape, tuple[Run, CompiledTransforms[R] | None]] = {}

    def apply_into(self, records: Sequence[R], results: list[R | None]) -> None:
        """Append one result per record, in order. When a record raises, `results` ends before it."""
        at, end = 0, len(records)
        while at < end:
            run, rest = self._run_for(records[at])
            if rest is None:
                at = run(records, at, results.append)
            else:
                halfway: list[R] = []
                try:
                    at = run(records, at, halfway.append)
                finally:
                    rest.apply_into(halfway, results)

    def _run_for(self, record: R) -> tuple[Run, CompiledTransforms[R] | None]:
        shape = Shape(
            record.__class__, record.key_schema, record.key.__class__, record.value_schema, record.value.__class__
        )
        found = self._runs.get(shape)
        if found is None:
            if len(self._runs) >= _MAX_SHAPES:  # a source that makes a schema per record
                self._runs.clear()
            found = self._runs[shape] = self._compile(shape)
        return found

    def _compile(self, shape: Shape) -> tuple[Run, CompiledTransforms[R] | None]:
        """The code for `shape`, and what is left to do where some transform must see the record first."""
        for length in range(len(self._transforms), 0, -1):
            recipe = Recipe(shape)
            try:
                for transform in self._transforms[:length]:
                    transform.amend(recipe)
            except DependsOnRecordError:
                continue
            rest = self._transforms[length:]
            return recipe.compile(), CompiledTransforms(rest) if rest else None
        raise DependsOnRecordError(f"{self._transforms[0]!r} cannot be written down for {shape!r}")
