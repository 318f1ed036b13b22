"""How it is done: everything behind the tasks. Start with delivery.py; docs/architecture.md has the map."""
