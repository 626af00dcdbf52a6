"""A long run of a real site: `python -m tests.soak`."""
