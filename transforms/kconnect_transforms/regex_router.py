"""RegexRouter: renames the topic by a regular expression."""

from __future__ import annotations

from kconnect.config import HIGH, Config, key
from kconnect.java_regex import JavaPattern, valid_regex
from kconnect.recipe import Recipe
from kconnect.recipe_transform import RecipeTransform


class RegexRouterConfig(Config):
    regex: str = key(importance=HIGH, validator=valid_regex, doc="What the whole topic name must match, as in Java.")
    replacement: str = key(
        importance=HIGH, doc="The new topic name; $1 and ${name} stand for what groups of the regex matched."
    )


class RegexRouter(RecipeTransform[RegexRouterConfig]):
    """Topics that do not match stay as they are."""

    def configure(self, config: RegexRouterConfig) -> None:
        self._pattern = JavaPattern(config.regex)
        self._replacement = config.replacement
        self._routes: dict[str, str] = {}

    def amend(self, recipe: Recipe) -> None:
        recipe.topic = recipe.local(f"{recipe.constant(self._route)}({recipe.topic})")

    def _route(self, topic: str) -> str:
        """The topic to send to, remembered: there are few."""
        route = self._routes.get(topic)
        if route is None:
            matches = self._pattern.matches(topic)
            route = self._pattern.replace_first(topic, self._replacement) if matches else topic
            if len(self._routes) >= 10_000:
                self._routes.clear()
            self._routes[topic] = route
        return route
