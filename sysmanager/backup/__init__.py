"""System backups (SPEC 7): one file with manifest and checksums, how it is made beside a running coordinator, and how it is restored."""
