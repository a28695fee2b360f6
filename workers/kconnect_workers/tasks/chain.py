"""A connector's transforms, in their order, with their predicates (`transforms`, `predicates`; KIP-66, KIP-585)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol, TypeVar

from kconnect.compiled_rows import CompiledRows
from kconnect.errors import ConfigError, ConnectError, DataError, RetriableError
from kconnect.plugin import PluginKind
from kconnect.plugins import Plugins
from kconnect.recipe_transform import CompiledTransforms, RecipeTransform
from kconnect.record import RowBatch, SinkRecord, SourceRecord
from kconnect.transform import Predicate, Transform
from kconnect_workers.tasks.transform_config import StageConfig, stage_configs

R = TypeVar("R", SourceRecord, SinkRecord)


class TransformationStage:
    """One transform of the chain; where its predicate says no, records pass as they are."""

    def __init__(
        self, alias: str, transform: Transform[Any], predicate: Predicate[Any] | None = None, *, negate: bool = False
    ) -> None:
        self.alias = alias
        self.transform = transform
        self._predicate = predicate
        self._negate = negate

    @property
    def is_compiled(self) -> bool:
        """Whether it can be compiled together with its neighbours."""
        return self._predicate is None and isinstance(self.transform, RecipeTransform)

    def apply(self, record: R) -> R | None:
        if self._predicate is not None and self._predicate.test(record) is self._negate:
            return record
        return self.transform.apply(record)

    def apply_batch(self, records: Sequence[R]) -> list[R | None]:
        predicate = self._predicate
        if predicate is None:
            return self._transform_all(records)
        results: list[R | None] = list(records)
        negate = self._negate
        chosen = [at for at, record in enumerate(records) if predicate.test(record) is not negate]
        for at, result in zip(chosen, self._transform_all([records[at] for at in chosen]), strict=True):
            results[at] = result
        return results

    def close(self) -> None:
        self.transform.close()
        if self._predicate is not None:
            self._predicate.close()

    def _transform_all(self, records: Sequence[R]) -> list[R | None]:
        results = self.transform.apply_batch(records)
        if len(results) != len(records):
            raise ConnectError(
                f"transforms.{self.alias}: apply_batch returned {len(results)} results for {len(records)} records"
            )
        return results


class TransformationChain:
    """All transforms of a connector. Used by one thread. The records given are never changed."""

    def __init__(self, stages: Sequence[TransformationStage]) -> None:
        self.stages = tuple(stages)
        self._steps: list[_Step] = []
        for compiled, run in groupby(self.stages, key=lambda stage: stage.is_compiled):
            neighbours = list(run)
            self._steps += [_CompiledRun(neighbours)] if compiled else neighbours
        first = self._steps[0] if self._steps else None
        self._rows = CompiledRows(first.transforms if isinstance(first, _CompiledRun) else ())
        self._after_rows = self._steps[1:] if isinstance(first, _CompiledRun) else self._steps
        self.failing: type[Transform[Any]] | None = None
        """The class in which the last `apply` failed."""

    @classmethod
    def from_props(cls, props: Mapping[str, str], plugins: Plugins) -> TransformationChain:
        """The chain that a connector's configuration describes; without `transforms`, one that does nothing.

        Raises ConfigError naming the key, ConnectError when a class cannot be imported."""
        stages: list[TransformationStage] = []
        chain = cls([])
        try:
            for config in stage_configs(props):
                stages.append(_stage(config, plugins))
                chain = cls(stages)
        except BaseException:
            chain.close()
            raise
        return chain

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.stages)

    @property
    def is_compiled(self) -> bool:
        """Whether it is compiled as a whole: then no record is dropped, and all keep where they come from."""
        return all(stage.is_compiled for stage in self.stages)

    def apply(self, record: R) -> R | None:
        """What becomes of one record; None when it is dropped. A transform's error rises as of the same branch of
        the error tree, with the transform's name; what is no ConnectError becomes one."""
        result: R | None = record
        for stage in self.stages:
            if result is None:
                break
            try:
                result = stage.apply(result)
            except Exception as error:
                self.failing = type(stage.transform)
                raise _named(stage, error) from error
        return result

    def apply_batch(self, records: Sequence[R]) -> list[R | None]:
        """One result per record, in order. Any exception means that some record fails: `apply` to each finds which,
        and says why."""
        return _through(self._steps, records)

    def apply_rows(self, batch: RowBatch) -> list[SourceRecord | None]:
        """As `apply_batch` to the records of a RowBatch, which are built once, with the first transforms applied."""
        return _through(self._after_rows, self._rows.apply(batch))

    def close(self) -> None:
        """Release what transforms and predicates hold. May be called twice."""
        for stage in self.stages:
            stage.close()


class _Step(Protocol):
    """Something that goes over a batch: a run of compiled transforms, or a stage by itself."""

    def apply_batch(self, records: Sequence[R]) -> list[R | None]: ...


class _CompiledRun:
    def __init__(self, stages: Sequence[TransformationStage]) -> None:
        transforms = [stage.transform for stage in stages]
        self.transforms = [transform for transform in transforms if isinstance(transform, RecipeTransform)]
        self._compiled: CompiledTransforms[Any] = CompiledTransforms(self.transforms)

    def apply_batch(self, records: Sequence[R]) -> list[R | None]:
        results: list[R | None] = []
        self._compiled.apply_into(records, results)
        return results


def _through(steps: Sequence[_Step], records: Sequence[R]) -> list[R | None]:
    """What the steps make of the records, one result per record."""
    results: list[R | None] = list(records)
    positions: Sequence[int] = range(len(results))
    alive = records
    for step in steps:
        made = step.apply_batch(alive)
        alive = [record for record in made if record is not None]
        if len(alive) < len(made):
            for at, record in zip(positions, made, strict=True):
                if record is None:
                    results[at] = None
            positions = [at for at, record in zip(positions, made, strict=True) if record is not None]
    for at, record in zip(positions, alive, strict=True):
        results[at] = record
    return results


def _stage(config: StageConfig, plugins: Plugins) -> TransformationStage:
    transform: Transform[Any] = _configured(Transform, PluginKind.TRANSFORMATION, config.prefix, config.props, plugins)
    predicate: Predicate[Any] | None = None
    if config.predicate is not None:
        predicate = _configured(
            Predicate, PluginKind.PREDICATE, config.predicate.prefix, config.predicate.props, plugins
        )
    return TransformationStage(config.alias, transform, predicate, negate=config.negate)


def _configured(contract: type, kind: PluginKind, prefix: str, props: Mapping[str, str], plugins: Plugins) -> Any:
    """The instance of `contract` that `props` describe; ConfigErrors name the connector's key, under `prefix`."""
    try:
        found: Any = plugins.load(plugins.resolve(kind, props["type"]))
        if not issubclass(found, contract):
            raise ConfigError(f"{props['type']} is no {contract.__name__.lower()}", key="type")
        instance = found()
        instance.configure(found.config_class.parse(props))
    except ConfigError as error:
        key = f"{prefix}{error.key or 'type'}"
        raise ConfigError(error.reason, key=key, value=error.value, suggestion=error.suggestion) from error
    return instance


def _named(stage: TransformationStage, error: Exception) -> ConnectError:
    where = f"transforms.{stage.alias} ({type(stage.transform).__name__})"
    if isinstance(error, RetriableError):
        return RetriableError(f"{where}: {error}")
    if isinstance(error, DataError):
        return DataError(f"{where}: {error}")
    if isinstance(error, ConnectError):
        return ConnectError(f"{where}: {error}")
    return ConnectError(f"{where} raised {type(error).__name__}: {error}")
