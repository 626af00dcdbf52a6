"""A small real site on this machine: cameras, coordinator, two recorders, a failover server, each its own process; and its rehearsal."""
