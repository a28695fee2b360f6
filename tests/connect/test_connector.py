from __future__ import annotations

from kconnect import Config, ConfigError, SinkConnector, key


class RangeConfig(Config):
    low: int = key(doc="From.")
    high: int = key(doc="To.")

    def _check(self) -> None:
        if self.low > self.high:
            raise ConfigError("is less than low", key="high", value=self.high)


class RangeSink(SinkConnector[RangeConfig]):
    pass


def errors(**props: str) -> dict[str, list[str]]:
    return {value.name: value.errors for value in RangeSink().validate(props)}


def test_keys_that_do_not_go_together_are_refused_when_they_are_validated() -> None:
    assert errors(low="2", high="1") == {"low": [], "high": ["high=1: is less than low"]}
    assert errors(low="1", high="2") == {"low": [], "high": []}


def test_they_are_looked_at_only_when_each_is_right_by_itself() -> None:
    assert errors(low="x", high="1")["high"] == []
