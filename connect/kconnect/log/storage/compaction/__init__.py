"""Compaction: of every key the last record stays.

The broker decides what is due and swaps the result in (`cleaner`); the work itself is done by a process of its own
(`compactor`), which reads sealed segments and writes new ones beside them: neither the broker's loop nor its memory
feels it.
"""
