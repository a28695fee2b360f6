"""InsertHeader: adds a header with a fixed value."""

from __future__ import annotations

from typing import Annotated

from kconnect.config import HIGH, Config, key
from kconnect.projection import Projection
from kconnect.record import Header
from kconnect.transform import ProjectedTransform
from kconnect.validators import NonNullValidator
from kconnect.values import parse_string


class InsertHeaderConfig(Config):
    header: Annotated[str, NonNullValidator()] = key(importance=HIGH, doc="The header's key.")
    value_literal: Annotated[str, NonNullValidator()] = key(
        name="value.literal",
        importance=HIGH,
        doc="The header's value; its type follows from its looks: 1, 1.5, true, 2020-01-01, [1,2], {a:1}, text.",
    )


class InsertHeader(ProjectedTransform[InsertHeaderConfig]):
    """Headers of the same key stay."""

    def configure(self, config: InsertHeaderConfig) -> None:
        schema, value = parse_string(config.value_literal)
        self._added = Header(config.header, schema, value)

    def project(self, projection: Projection) -> None:
        projection.headers = projection.local(f"(*{projection.headers}, {projection.constant(self._added)})")
