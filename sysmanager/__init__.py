"""System Manager: failover for video recorders, and the desktop program to run it."""
