"""Measurements, side by side in one run and as ratios. `python -m benchmarks` runs all; each module runs alone."""
