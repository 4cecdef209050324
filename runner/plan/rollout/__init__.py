"""A rollout in a plan: waves made, limits counted, gates rendered."""
