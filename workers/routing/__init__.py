"""Routing: from the intake into the lanes of those that want an event."""
