"""Java's types of numbers, as Kafka's settings have them."""

from __future__ import annotations

from typing import Annotated

from kconnect.config import Range, Type

Long = Annotated[int, Type.LONG]
Millis = Annotated[int, Type.LONG, Range(0)]
Short = Annotated[int, Type.SHORT]
