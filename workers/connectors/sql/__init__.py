"""SQL databases: what they share, and one module for each."""
