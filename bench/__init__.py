"""Benchmarks of frozen arena: one scenario a file, run with ``python -m bench.NAME``."""
