"""KeyToValue: copies fields of the key, or the whole key, into the value."""

from __future__ import annotations

from typing import Final

from kconnect.config import HIGH, Config, ConfigError, key
from kconnect.errors import DataError
from kconnect.recipe import Column, DependsOnRecordError, Kind, Part, Recipe, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.validators import NonEmptyList
from kconnect_transforms.structs import schemas, struct_like

WHOLE: Final = "*"
_WHOLE_NAME: Final = "_key"


class KeyToValueConfig(Config):
    key_fields: list[str] = key(
        importance=HIGH, validator=NonEmptyList(), doc="Fields of the key to copy; * is the whole key."
    )
    value_fields: list[str] = key(
        default=[],
        importance=HIGH,
        doc="Their names in the value, in the same order, where a field of that name is replaced. Those that are not "
        f"given stay as in the key; the whole key is named {_WHOLE_NAME}.",
    )

    def _check(self) -> None:
        parse_copies(self)


def parse_copies(config: KeyToValueConfig) -> dict[str, str]:
    """The value's field → the key's. Raises ConfigError."""
    if len(config.value_fields) > len(config.key_fields):
        raise ConfigError(
            f"has {len(config.value_fields)} names for {len(config.key_fields)} fields of the key",
            key="value.fields",
            value=config.value_fields,
            suggestion="name one for each of key.fields, or fewer",
        )
    copies: dict[str, str] = {}
    for at, source in enumerate(config.key_fields):
        name = config.value_fields[at] if at < len(config.value_fields) else source
        name = _WHOLE_NAME if name == WHOLE else name
        if name in copies:
            raise ConfigError(f"two fields of the key would go to {name!r}", key="value.fields")
        copies[name] = source
    return copies


class KeyToValue(RecipeTransform[KeyToValueConfig]):
    """The key stays as it is. A value with a schema takes only from a key with one."""

    def configure(self, config: KeyToValueConfig) -> None:
        self._copies = parse_copies(config)

    def amend(self, recipe: Recipe) -> None:
        source, target = recipe.part("key"), recipe.part("value")
        require_fields(target, "copying the key into the value")
        if source.kind is Kind.UNKNOWN:
            raise DependsOnRecordError
        if any(name != WHOLE for name in self._copies.values()):
            require_fields(source, "copying fields of the key")
        if target.schema is None:
            copied = recipe.writable_map("value")
            for name, of_key in self._copies.items():
                read = source.expression if of_key == WHOLE else f"{source.expression}.get({of_key!r})"
                recipe.line(f"{copied}[{name!r}] = {read}")
            return
        columns = recipe.columns("value", replace_null=True)
        for name, of_key in self._copies.items():
            columns[name] = self._column(recipe, source, of_key)
        schema = struct_like(target.schema, schemas(columns)).replace(optional=target.schema.optional)
        recipe.set_struct("value", schema, columns)

    def _column(self, recipe: Recipe, source: Part, name: str) -> Column:
        if source.schema is None:
            raise DataError("the value has a schema, and the key has none: nothing says what its copy is")
        if name == WHOLE:
            return Column(recipe.local(source.expression), source.schema)
        column = recipe.columns("key", replace_null=True).get(name)
        if column is None:
            raise DataError(f"key.fields: the key has no field {name!r}")
        return column
