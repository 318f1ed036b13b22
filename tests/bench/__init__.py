"""How long things take, as ratios within one run: `make bench`. No test is about time, since machines differ."""
