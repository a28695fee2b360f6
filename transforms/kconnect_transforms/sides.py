"""Which part of a record a transform works on: the variants `$Key` and `$Value` of Kafka's classes."""

from __future__ import annotations

from typing import ClassVar

from kconnect.recipe import Side


class OnKey:
    side: ClassVar[Side] = "key"


class OnValue:
    side: ClassVar[Side] = "value"
