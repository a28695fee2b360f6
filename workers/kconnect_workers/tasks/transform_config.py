"""What a connector's configuration says of its transforms and predicates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kconnect.errors import ConfigError

_NEGATE = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class PredicateConfig:
    """One of `predicates`; `props` are its settings without `prefix`, `type` among them."""

    alias: str
    props: Mapping[str, str]

    @property
    def prefix(self) -> str:
        return f"predicates.{self.alias}."


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """One of `transforms`; `props` are its settings without `prefix`, `type` among them."""

    alias: str
    props: Mapping[str, str]
    predicate: PredicateConfig | None = None
    negate: bool = False

    @property
    def prefix(self) -> str:
        return f"transforms.{self.alias}."


def stage_configs(props: Mapping[str, str]) -> list[StageConfig]:
    """The transforms in their order. Raises ConfigError for the first key that is missing or wrong."""
    predicates = {
        alias: PredicateConfig(alias=alias, props=_typed(props, f"predicates.{alias}."))
        for alias in _aliases(props, "predicates")
    }
    return [_stage_config(props, alias, predicates) for alias in _aliases(props, "transforms")]


def _stage_config(props: Mapping[str, str], alias: str, predicates: Mapping[str, PredicateConfig]) -> StageConfig:
    prefix = f"transforms.{alias}."
    own = _typed(props, prefix)
    predicate_alias = own.pop("predicate", "").strip()
    negate = own.pop("negate", None)
    if predicate_alias and predicate_alias not in predicates:
        raise ConfigError(
            "no such predicate",
            key=f"{prefix}predicate",
            value=predicate_alias,
            suggestion=f"predicates names {', '.join(predicates) or 'none'}",
        )
    if negate is not None and not predicate_alias:
        raise ConfigError(
            "there is no predicate to negate", key=f"{prefix}negate", suggestion=f"set {prefix}predicate, or remove it"
        )
    if negate is not None and negate.strip().lower() not in _NEGATE:
        raise ConfigError("is neither true nor false", key=f"{prefix}negate", value=negate)
    return StageConfig(
        alias=alias,
        props=own,
        predicate=predicates[predicate_alias] if predicate_alias else None,
        negate=_NEGATE[(negate or "false").strip().lower()],
    )


def _aliases(props: Mapping[str, str], key: str) -> list[str]:
    given = props.get(key) or ""
    aliases = [alias.strip() for alias in given.split(",")] if given.strip() else []
    if "" in aliases:
        raise ConfigError("has an empty name", key=key, value=given, suggestion="remove a comma")
    if len(set(aliases)) < len(aliases):
        raise ConfigError("names one twice", key=key, value=given)
    return aliases


def _typed(props: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The settings under `prefix`, which must have a type."""
    own = {key[len(prefix) :]: value for key, value in props.items() if key.startswith(prefix)}
    if not own.get("type"):
        raise ConfigError("is missing", key=f"{prefix}type", suggestion="name a class, such as InsertField$Value")
    return own
