"""Real services that tests and benchmarks start by themselves."""
