"""The benchmark that docs/benchmarks.md shows: segsync beside the bare driver and beside what people use instead."""
