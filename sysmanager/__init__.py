"""System Manager: failover for video recorders, and the desktop program to run it."""

__version__ = "0.1.0"
