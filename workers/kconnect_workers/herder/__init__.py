"""The herder: makes what runs agree with what is configured, and answers for it."""
