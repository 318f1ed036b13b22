"""Events: what came in, read into operations; pure."""
