"""Benchmarks of frozen arena: one scenario a file, run with ``python -m bench.NAME``."""

SCENARIOS = (
    "copied_pages",
    "eight_workers",
    "memory_by_workers",
    "look_ups",
    "fork_cost",
    "first_pass",
    "prefork_server",
    "exit_storm",
    "restarts",
    "long_run",
    "application_heap",
    "changed_records",
    "block_cost",
    "many_arenas",
    "reshare",
    "serving_worker",
    "outside",
    "pyperformance_suite",
    "copy_on_write",
    "write_matrix",
)
