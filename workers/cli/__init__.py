"""`segsync`, the command line: one file per command or small group, all of them declared in `app.py`."""


def main() -> None:
    """Runs the command line and ends the process; Ctrl-C ends it with 130, as shells have it, while it loads, too."""
    try:
        from workers.cli.app import main as run  # noqa: PLC0415 - loading takes long enough to be interrupted

        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


__all__ = ["main"]
