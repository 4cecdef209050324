"""From a `Campaign` and servers to a `Plan`: selection, splitting, batching, rendering, hashing."""
