"""What runs in the processes of connectors and tasks: the zygote that they are forked from, the host around each of
them, and what they and the worker say to one another."""
