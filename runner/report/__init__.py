"""What leaves the runner."""
