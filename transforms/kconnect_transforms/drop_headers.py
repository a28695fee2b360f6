"""DropHeaders: removes headers by their keys."""

from __future__ import annotations

from typing import Annotated

from kconnect.config import HIGH, Config, ValidList, key
from kconnect.projection import Projection
from kconnect.record import Header
from kconnect.transform import ProjectedTransform


class DropHeadersConfig(Config):
    headers: Annotated[list[str], ValidList(allow_empty=False)] = key(
        importance=HIGH, doc="Keys of the headers to remove."
    )


class DropHeaders(ProjectedTransform[DropHeadersConfig]):
    """Removes every header that has one of the keys."""

    def configure(self, config: DropHeadersConfig) -> None:
        self._keys = frozenset(config.headers)

    def project(self, projection: Projection) -> None:
        projection.headers = projection.local(f"{projection.constant(self._kept)}({projection.headers})")

    def _kept(self, headers: tuple[Header, ...]) -> tuple[Header, ...]:
        return tuple(header for header in headers if header.key not in self._keys)
