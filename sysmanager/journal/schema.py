"""The tables of a journal file, and the way from older ones to these."""

import sqlite3
from collections.abc import Mapping

__all__ = ["MIGRATIONS", "SCHEMA_SQL", "SCHEMA_VERSION", "create_tables", "migrate"]

SCHEMA_VERSION = 1

SCHEMA_SQL = """
-- One row: which version of these tables the file holds. `PRAGMA user_version` says the same a second time, so that one
-- flipped bit is not taken for a file of a newer program.
CREATE TABLE version (
    version INTEGER NOT NULL
);

-- The journal. Sequences run from 1 without a hole. The hash of a record covers the hash of the record before it, which is
-- therefore not stored again.
CREATE TABLE record (
    sequence INTEGER PRIMARY KEY,
    hash     BLOB NOT NULL CHECK (length(hash) = 32),
    body     BLOB NOT NULL
);

-- What openings found wrong. A row is `settled` by the first append after it, in that append's transaction: until then every
-- opening says it again.
CREATE TABLE damage (
    number   INTEGER PRIMARY KEY,
    sentence TEXT NOT NULL,
    settled  INTEGER NOT NULL DEFAULT 0 CHECK (settled IN (0, 1))
);
"""

MIGRATIONS: Mapping[int, str] = {}
"""From version → SQL that makes it version + 1. Frozen once released."""


def create_tables(connection: sqlite3.Connection, schema_sql: str = SCHEMA_SQL, version: int = SCHEMA_VERSION) -> None:
    """Create all tables in an empty database, in one transaction."""
    _run(connection, f"{schema_sql}\nINSERT INTO version VALUES ({version});", version)


def migrate(connection: sqlite3.Connection, found: int, migrations: Mapping[int, str] = MIGRATIONS, version: int = SCHEMA_VERSION) -> None:
    """Bring tables of version `found` to `version`, each step in a transaction of its own: a kill leaves a whole version."""
    for step in range(found, version):
        _run(connection, f"{migrations[step]}\nUPDATE version SET version = {step + 1};", step + 1)


def _run(connection: sqlite3.Connection, sql: str, version: int) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version = {version};\nCOMMIT;")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
