"""The transforms of kafka-connect-transform-common."""

from golden.java_transforms import built, expected, run

__all__ = ["built", "expected", "run"]
