"""A report as a page of its own: one file that needs nothing else."""
