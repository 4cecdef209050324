"""The durable log of a run's events, behind one interface: in memory and in SQLite."""
