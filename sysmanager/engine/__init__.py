"""The one loop around the coordinator: recovery, durability, dispatch, projections, and its clients.

`core` is the loop without I/O, for the simulation as for the real thing; `engine` puts clocks, journal, bus and clients around it.
"""
