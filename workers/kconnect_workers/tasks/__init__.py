"""The record path: what a task does with its records, whatever runs it. Knows nothing of processes."""
