"""A rollout in a plan: waves drawn, limits counted, gates rendered."""
