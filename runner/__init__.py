"""Declarative batch jobs over fleets of ModelArts Lite Servers."""

__version__ = "0.1.0"
