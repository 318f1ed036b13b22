"""How it is done: everything behind the tasks. Start with delivery/deliverer.py; docs/architecture.md has the map."""
