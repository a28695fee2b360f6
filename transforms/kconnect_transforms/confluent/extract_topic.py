"""ExtractTopic: sends a record to the topic that a field or a header of it names."""

from __future__ import annotations

from typing import Any

from kconnect.config import LOW, MEDIUM, Config, NonEmptyString, key
from kconnect.recipe import Recipe, Side, require_fields
from kconnect.recipe_transform import RecipeTransform
from kconnect.record import Header
from kconnect.validators import CaseInsensitiveValidString
from kconnect_transforms.confluent.json_path import JsonPath, MissingError, valid_path
from kconnect_transforms.sides import OnKey, OnValue
from kconnect_transforms.topic_names import TopicFinder

_PLAIN = "PLAIN"
_JSON_PATH = "JSON_PATH"


class ExtractTopicConfig(Config):
    field: str = key(
        default="", importance=MEDIUM, doc="The field that names the topic; without it the whole key or value does."
    )
    field_format: str = key(
        default=_PLAIN,
        importance=MEDIUM,
        validator=CaseInsensitiveValidString(_PLAIN, _JSON_PATH),
        doc="PLAIN: the field is a name. JSON_PATH: it is a path such as $.order.topic or $['order']['topic'].",
    )
    skip_missing_or_null: bool = key(
        default=False, importance=LOW, doc="Whether records without a name keep their topic, instead of failing."
    )

    def _check(self) -> None:
        if self.field_format.upper() == _JSON_PATH:
            valid_path("field", self.field)


class ExtractTopicHeaderConfig(Config):
    field: str = key(importance=MEDIUM, validator=NonEmptyString(), doc="The key of the header that names the topic.")
    skip_missing_or_null: bool = key(
        default=False, importance=LOW, doc="Whether records without a name keep their topic, instead of failing."
    )


class ExtractTopic(RecipeTransform[ExtractTopicConfig]):
    """Texts, numbers and booleans name topics."""

    side: Side

    def configure(self, config: ExtractTopicConfig) -> None:
        self._field = config.field or None
        self._path = JsonPath(config.field) if config.field_format.upper() == _JSON_PATH else None
        where = f"the {self.side}" if self._field is None else f"field {self._field!r} of the {self.side}"
        self._topics = TopicFinder(where, skip=config.skip_missing_or_null)

    def amend(self, recipe: Recipe) -> None:
        if self._path is None:
            self._topics.amend_from(recipe, self.side, self._field)
            return
        part = recipe.part(self.side)
        require_fields(part, "taking the topic from a field")
        self._topics.amend(recipe, None, f"{recipe.constant(self._found)}({part.expression})")

    def _found(self, value: Any) -> Any:
        assert self._path is not None
        try:
            found = self._path.find(value)
        except MissingError:
            return None
        return found[0] if found else None


class ExtractTopicKey(OnKey, ExtractTopic):
    """Looks into the key."""


class ExtractTopicValue(OnValue, ExtractTopic):
    """Looks into the value."""


class ExtractTopicHeader(RecipeTransform[ExtractTopicHeaderConfig]):
    """Looks at the last header of a key."""

    def configure(self, config: ExtractTopicHeaderConfig) -> None:
        self._key = config.field
        self._topics = TopicFinder(f"header {self._key!r}", skip=config.skip_missing_or_null)

    def amend(self, recipe: Recipe) -> None:
        recipe.topic = recipe.local(f"{recipe.constant(self._found)}({recipe.headers}) or {recipe.topic}")

    def _found(self, headers: tuple[Header, ...]) -> str | None:
        for header in reversed(headers):
            if header.key == self._key:
                return self._topics.find(header.schema, header.value)
        self._topics.missing("is missing")
        return None
