"""Resyncs: making a target equal to the platform again, beside live events (docs/resync.md, rules 45 to 49)."""
