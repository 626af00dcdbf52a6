"""The tables of the history. Derived data: a file of another version is set aside and made anew from the journal, never migrated."""

__all__ = ["SCHEMA_SQL", "SCHEMA_VERSION"]

SCHEMA_VERSION = 2

SCHEMA_SQL = """
-- One row: how far the history got. digest: SHA-256 of the body of that record, so that another journal is noticed.
CREATE TABLE position (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    digest   BLOB NOT NULL
);
INSERT INTO position VALUES (1, 0, x'');

-- Each combination of the enumerations that occurs, and how many entries have it: their filters are answered from a few rows.
CREATE TABLE kind (
    kind     INTEGER PRIMARY KEY,
    trigger_ TEXT NOT NULL,
    state    TEXT NOT NULL,
    severity TEXT NOT NULL,
    reason   TEXT NOT NULL,
    entries  INTEGER NOT NULL,
    UNIQUE (trigger_, state, severity, reason)
);

-- What entries are found and sorted by. Times are wall-clock milliseconds, 0 where there is none; gap is -1 where it is unknown.
CREATE TABLE entry (
    number      INTEGER PRIMARY KEY,
    kind        INTEGER NOT NULL,
    started     INTEGER NOT NULL,
    ended       INTEGER NOT NULL,
    committed   INTEGER NOT NULL,
    recorder    TEXT NOT NULL,
    home        TEXT NOT NULL,
    server      TEXT NOT NULL,
    group_      TEXT NOT NULL,
    server_key  TEXT NOT NULL,
    failover_server_key TEXT NOT NULL,
    trigger_    TEXT NOT NULL,
    state       TEXT NOT NULL,
    gap         INTEGER NOT NULL,
    cameras     INTEGER NOT NULL,
    started_by  TEXT NOT NULL,
    reason      TEXT NOT NULL
);
-- With a filter on the enumerations a page is merged from its kinds: what fails has no gap and no server, and would be found last.
CREATE INDEX by_kind ON entry (kind, number);
-- Of many entries that another filter leaves the kind is read here, where a thousand lie on a page, before any of them is looked at.
CREATE INDEX number_kind ON entry (number, kind);
CREATE INDEX kind_started ON entry (kind, started, number);
CREATE INDEX kind_server ON entry (kind, server_key, number);
CREATE INDEX kind_failover_server ON entry (kind, failover_server_key, number);
CREATE INDEX kind_gap ON entry (kind, gap, number);
CREATE INDEX kind_cameras ON entry (kind, cameras, number);
CREATE INDEX kind_started_by ON entry (kind, started_by, number);
CREATE INDEX by_recorder ON entry (recorder, number);
CREATE INDEX by_home ON entry (home, committed, number);
CREATE INDEX by_server ON entry (server, number);
CREATE INDEX by_group ON entry (group_, number);
CREATE INDEX by_started ON entry (started, number);
CREATE INDEX sorted_server ON entry (server_key, number);
CREATE INDEX sorted_failover_server ON entry (failover_server_key, number);
CREATE INDEX sorted_trigger ON entry (trigger_, number);
CREATE INDEX sorted_state ON entry (state, number);
CREATE INDEX sorted_gap ON entry (gap, number);
CREATE INDEX sorted_cameras ON entry (cameras, number);
CREATE INDEX sorted_started_by ON entry (started_by, number);
CREATE INDEX sorted_reason ON entry (reason, number);

-- The whole entry, in the encoding of messages. Apart from the columns, so that walking through these reads little.
CREATE TABLE body (
    number INTEGER PRIMARY KEY,
    body   BLOB NOT NULL
);

-- The words of each entry; rowid is its number.
CREATE VIRTUAL TABLE word USING fts5(words, tokenize = "unicode61 remove_diacritics 2", prefix = '1 2 3');

-- The audit log; number is that of the record in the journal.
CREATE TABLE audit (
    number   INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    actor    TEXT NOT NULL,
    role     TEXT NOT NULL,
    request  TEXT NOT NULL,
    about    TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    sentence TEXT NOT NULL,
    times    INTEGER NOT NULL,
    first    INTEGER NOT NULL
);
CREATE INDEX audit_at ON audit (at, number);
CREATE INDEX audit_actor ON audit (actor, at, number);
CREATE INDEX audit_outcome ON audit (outcome, at, number);
CREATE VIRTUAL TABLE audit_word USING fts5(words, tokenize = "unicode61 remove_diacritics 2", prefix = '1 2 3');
"""
