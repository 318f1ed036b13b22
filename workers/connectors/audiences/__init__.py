"""Ad accounts as targets: each segment is an audience there."""
