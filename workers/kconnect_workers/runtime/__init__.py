"""The worker's hold on the processes in which its connectors and tasks run, on its event loop."""
