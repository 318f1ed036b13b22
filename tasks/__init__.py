"""What may be asked of the workers: route, deliver, flush, upkeep, resync.

A task is a view: it calls one thing in `workers/` and translates what comes of it for Celery. Arguments are names and
permits, never data; unknown ones are ignored, because old and new workers run side by side during a deploy.
"""
