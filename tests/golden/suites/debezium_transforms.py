"""Debezium's transforms."""

from golden.java_transforms import built, expected, run

__all__ = ["built", "expected", "run"]
