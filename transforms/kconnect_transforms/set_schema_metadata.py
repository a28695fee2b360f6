"""SetSchemaMetadata: gives a struct's schema another name or version."""

from __future__ import annotations

from kconnect.config import HIGH, MEDIUM, Config, ConfigError, key
from kconnect.errors import DataError
from kconnect.recipe import DependsOnRecordError, Kind, Recipe, Side
from kconnect.recipe_transform import RecipeTransform
from kconnect.schema import Type
from kconnect_transforms.sides import OnKey, OnValue


class SetSchemaMetadataConfig(Config):
    schema_name: str | None = key(default=None, importance=HIGH, doc="The schema's new name; null keeps the old one.")
    schema_version: int | None = key(
        default=None, importance=HIGH, doc="The schema's new version; null keeps the old one."
    )
    replace_null_with_default: bool = key(
        default=True, importance=MEDIUM, doc="Whether fields that are null get the default of their schema."
    )

    def _check(self) -> None:
        if self.schema_name is None and self.schema_version is None:
            raise ConfigError("there is nothing to set", suggestion="set schema.name, schema.version or both")


class SetSchemaMetadata(RecipeTransform[SetSchemaMetadataConfig]):
    """A null without a schema stays as it is."""

    side: Side

    def configure(self, config: SetSchemaMetadataConfig) -> None:
        self._changes: dict[str, object] = {}
        if config.schema_name is not None:
            self._changes["name"] = config.schema_name
        if config.schema_version is not None:
            self._changes["version"] = config.schema_version
        self._replace_null = config.replace_null_with_default

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if part.kind is Kind.UNKNOWN:
            raise DependsOnRecordError
        if part.schema is None:
            if part.kind is Kind.NULL:
                return
            raise DataError(f"the {self.side} has no schema to rename")
        if part.schema.type is not Type.STRUCT:
            raise DataError(
                f"the {self.side}'s schema is of type {part.schema.type.value}, only a struct's can be renamed"
            )
        changed = part.schema.replace(**self._changes)
        if part.kind is Kind.STRUCT:
            columns = recipe.columns(self.side, replace_null=self._replace_null)
            recipe.set_struct(self.side, changed, columns)
        else:
            recipe.set_schema(self.side, changed)


class SetSchemaMetadataKey(OnKey, SetSchemaMetadata):
    """Works on the key's schema."""


class SetSchemaMetadataValue(OnValue, SetSchemaMetadata):
    """Works on the value's schema."""
