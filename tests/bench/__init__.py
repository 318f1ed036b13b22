"""How long things take, as ratios within one run: `make bench` for the whole, `make bench-parts` for parts.

No test is about time, since machines differ.
"""
