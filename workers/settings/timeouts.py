"""The range of what may be waited for."""

SHORTEST, LONGEST = 0.1, 24 * 3600.0
"""Seconds: the range of every timeout."""
