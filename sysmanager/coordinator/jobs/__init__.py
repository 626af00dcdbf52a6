"""Jobs: material copy (SPEC 9) and drill (SPEC 14.3). Each has a table of transitions; the orders for it are read off the state."""
