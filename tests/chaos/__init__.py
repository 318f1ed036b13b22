"""Chaos: random loads, random faults, and a model that knows what must come of them (`make chaos`)."""
