"""The journal port and its implementations, in memory and in an SQLite file; and the lock of the data folder."""
