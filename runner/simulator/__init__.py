"""A Lite Server API that behaves, and misbehaves, as told: for demos, rehearsals and tests."""
