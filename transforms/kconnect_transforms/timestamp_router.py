"""TimestampRouter: puts the record's time into the topic's name."""

from __future__ import annotations

from kconnect.config import HIGH, Config, ConfigError, key
from kconnect.errors import DataError
from kconnect.recipe import Recipe
from kconnect.recipe_transform import RecipeTransform
from kconnect_transforms.date_format import DateFormat


class TimestampRouterConfig(Config):
    topic_format: str = key(
        default="${topic}-${timestamp}",
        importance=HIGH,
        doc="The new topic name; ${topic} and ${timestamp} stand for the old name and the formatted time.",
    )
    timestamp_format: str = key(
        default="yyyyMMdd",
        importance=HIGH,
        doc="How the time is written: a pattern of Java's SimpleDateFormat, in UTC.",
    )


class TimestampRouter(RecipeTransform[TimestampRouterConfig]):
    """A record without a timestamp is an error."""

    def configure(self, config: TimestampRouterConfig) -> None:
        self._topic_format = config.topic_format
        try:
            self._timestamp_format = DateFormat(config.timestamp_format)
        except ConfigError as error:
            raise ConfigError(
                error.reason, key="timestamp.format", value=config.timestamp_format, suggestion=error.suggestion
            ) from error

    def amend(self, recipe: Recipe) -> None:
        route = recipe.constant(self._route)
        recipe.topic = recipe.local(f"{route}({recipe.topic}, {recipe.timestamp})")

    def _route(self, topic: str, timestamp: int | None) -> str:
        if timestamp is None:
            raise DataError("the record has no timestamp to put into the topic's name")
        renamed = self._topic_format.replace("${topic}", topic)
        return renamed.replace("${timestamp}", self._timestamp_format.format(timestamp))
