"""ChangeCase: writes the names of fields another way."""

from __future__ import annotations

from kconnect.config import HIGH, Config, key
from kconnect.recipe import Column, Recipe, Side
from kconnect.recipe_transform import RecipeTransform
from kconnect.validators import ValidString
from kconnect_transforms.jcustenborder.case_format import CaseFormat
from kconnect_transforms.jcustenborder.structs import is_nothing, renamed_like, require_struct
from kconnect_transforms.sides import OnKey, OnValue
from kconnect_transforms.structs import add_column, schemas

FORMATS = ValidString(*CaseFormat.__members__)


class ChangeCaseConfig(Config):
    from_: str = key(name="from", importance=HIGH, validator=FORMATS, doc="How the names are written.")
    to: str = key(importance=HIGH, validator=FORMATS, doc="How they are to be written.")


class ChangeCase(RecipeTransform[ChangeCaseConfig]):
    """Fields of nested structs keep their names. Fields that are null get the default of their schema."""

    side: Side

    def configure(self, config: ChangeCaseConfig) -> None:
        self._from = CaseFormat[config.from_]
        self._to = CaseFormat[config.to]

    def amend(self, recipe: Recipe) -> None:
        part = recipe.part(self.side)
        if is_nothing(part):
            return
        schema = require_struct(part, "changing the case of fields")
        columns: dict[str, Column] = {}
        for name, column in recipe.columns(self.side, replace_null=True).items():
            add_column(columns, self._from.to(self._to, name), column)
        recipe.set_struct(self.side, renamed_like(schema, schemas(columns)), columns)


class ChangeCaseKey(OnKey, ChangeCase):
    """Works on the key."""


class ChangeCaseValue(OnValue, ChangeCase):
    """Works on the value."""
