"""ChangeTopicCase: writes the topic another way."""

from __future__ import annotations

from functools import lru_cache

from kconnect.recipe import Recipe
from kconnect.recipe_transform import RecipeTransform
from kconnect_transforms.jcustenborder.case_format import CaseFormat
from kconnect_transforms.jcustenborder.change_case import ChangeCaseConfig


class ChangeTopicCase(RecipeTransform[ChangeCaseConfig]):
    """TOPIC_NAME, topic_name, topic-name, topicName, TopicName."""

    def configure(self, config: ChangeCaseConfig) -> None:
        written, wanted = CaseFormat[config.from_], CaseFormat[config.to]
        self._rewritten = lru_cache(maxsize=10_000)(lambda topic: written.to(wanted, topic))

    def amend(self, recipe: Recipe) -> None:
        recipe.topic = recipe.local(f"{recipe.constant(self._rewritten)}({recipe.topic})")
