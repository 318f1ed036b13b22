"""The whole system in one process, one seed, one history: see docs/reliability.md."""
