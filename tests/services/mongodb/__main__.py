"""Builds FerretDB, where it is not in the cache."""

from __future__ import annotations

from services.mongodb.binary import ferretdb

print(ferretdb())
