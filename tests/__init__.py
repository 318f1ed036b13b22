"""A package, so that pytest puts the project's root on `sys.path` (its prepend mode adds the folder above)."""
