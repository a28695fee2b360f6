"""Where connectors and tasks run: zygotes, the processes forked from them, and the loops inside."""
