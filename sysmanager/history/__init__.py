"""The failover log and the audit log, long and searchable: a projection of the journal in a database of its own."""
