"""Delivery: from a lane into its target. Start with deliverer.py."""
