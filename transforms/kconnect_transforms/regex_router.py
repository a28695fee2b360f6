"""RegexRouter: renames the topic by a regular expression."""

from __future__ import annotations

from kconnect.config import HIGH, Config, key
from kconnect.java_regex import JavaPattern, valid_regex
from kconnect.projection import Projection
from kconnect.transform import ProjectedTransform


class RegexRouterConfig(Config):
    regex: str = key(importance=HIGH, validator=valid_regex, doc="What the whole topic name must match, as in Java.")
    replacement: str = key(
        importance=HIGH, doc="The new topic name; $1 and ${name} stand for what groups of the regex matched."
    )


class RegexRouter(ProjectedTransform[RegexRouterConfig]):
    """Topics that do not match stay as they are."""

    def configure(self, config: RegexRouterConfig) -> None:
        self._pattern = JavaPattern(config.regex)
        self._replacement = config.replacement
        self._routes: dict[str, str] = {}

    def project(self, projection: Projection) -> None:
        projection.topic = projection.local(f"{projection.constant(self._route)}({projection.topic})")

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
