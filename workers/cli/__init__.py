"""`segsync`, the command line: one file per command or small group, all of them declared in `app.py`."""

from workers.cli.app import main

__all__ = ["main"]
