"""The picture of a run on a terminal: pure, from its facts, how it stands, and what was kept of its events, to lines."""
