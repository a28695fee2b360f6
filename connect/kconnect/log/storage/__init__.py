"""Partitions, their segment files and what is needed to open them again."""
