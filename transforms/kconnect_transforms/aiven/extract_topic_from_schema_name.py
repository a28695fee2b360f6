"""ExtractTopicFromSchemaName: sends a record to the topic that its schema's name tells."""

from __future__ import annotations

from kconnect.config import LOW, Config, ConfigError, key
from kconnect.errors import DataError
from kconnect.java_regex import JavaPattern, valid_regex
from kconnect.recipe import Recipe
from kconnect.recipe_transform import RecipeTransform
from kconnect.validators import Nullable


def parse_topics(text: str | None) -> dict[str, str]:
    """`name:topic,name:topic` as name → topic. Raises ConfigError."""
    topics: dict[str, str] = {}
    for pair in (text or "").split(",") if text else ():
        name, _, topic = (part.strip() for part in pair.partition(":"))
        if not (name and topic) or ":" in topic:
            raise ConfigError(
                f"{pair!r} is no pair",
                key="schema.name.topic-map",
                value=text,
                suggestion="write name:topic,name:topic",
            )
        topics[name] = topic
    return topics


def _valid_topics(_name: str, value: str | None) -> None:
    parse_topics(value)


class ExtractTopicFromSchemaNameConfig(Config):
    schema_name_topic_map: str | None = key(
        name="schema.name.topic-map",
        default=None,
        importance=LOW,
        validator=_valid_topics,
        doc="Topics for names of schemas: name:topic,name:topic. Other schemas' names are topics themselves.",
    )
    schema_name_regex: str | None = key(
        name="schema.name.regex",
        default=None,
        importance=LOW,
        validator=Nullable(valid_regex),
        doc="What is looked for in the name, as in Java; its one group is the topic. A name without it is one itself.",
    )

    def _check(self) -> None:
        if self.schema_name_topic_map is not None and self.schema_name_regex is not None:
            raise ConfigError(
                "goes not together with schema.name.topic-map", key="schema.name.regex", suggestion="leave one out"
            )


class ExtractTopicFromSchemaNameValue(RecipeTransform[ExtractTopicFromSchemaNameConfig]):
    """Looks at the value's schema; worked out once for each."""

    def configure(self, config: ExtractTopicFromSchemaNameConfig) -> None:
        self._topics = parse_topics(config.schema_name_topic_map)
        self._pattern = JavaPattern(config.schema_name_regex) if config.schema_name_regex else None

    def amend(self, recipe: Recipe) -> None:
        schema = recipe.part("value").schema
        if schema is None or schema.name is None:
            raise DataError("the schema of the value has no name to make a topic of")
        recipe.topic = repr(self._topic(schema.name))

    def _topic(self, name: str) -> str:
        if name in self._topics or self._pattern is None:
            return self._topics.get(name, name)
        groups = self._pattern.search_groups(name)
        return groups[0] if groups is not None and len(groups) == 1 and groups[0] else name
