"""ExtractTopic: sends a record to the topic that a field of it names."""

from __future__ import annotations

from kconnect.config import HIGH, LOW, Config, key
from kconnect.recipe import Recipe, Side
from kconnect.recipe_transform import RecipeTransform
from kconnect_transforms.sides import OnKey, OnValue
from kconnect_transforms.topic_names import TopicFinder


class ExtractTopicConfig(Config):
    field_name: str | None = key(
        default=None, importance=HIGH, doc="The field that names the topic; without it the whole key or value does."
    )
    skip_missing_or_null: bool = key(
        default=False, importance=LOW, doc="Whether records without a name keep their topic, instead of failing."
    )


class ExtractTopic(RecipeTransform[ExtractTopicConfig]):
    """Texts, numbers and booleans name topics."""

    side: Side

    def configure(self, config: ExtractTopicConfig) -> None:
        self._field = config.field_name or None
        where = f"the {self.side}" if self._field is None else f"field {self._field!r} of the {self.side}"
        self._topics = TopicFinder(where, skip=config.skip_missing_or_null)

    def amend(self, recipe: Recipe) -> None:
        self._topics.amend_from(recipe, self.side, self._field)


class ExtractTopicKey(OnKey, ExtractTopic):
    """Looks into the key."""


class ExtractTopicValue(OnValue, ExtractTopic):
    """Looks into the value."""
