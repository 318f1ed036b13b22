"""The quarantine: what could not be delivered, and what becomes of it."""
