"""Reads a journal file beside the thread that owns it: a connection of its own, which sees what is committed and locks nobody out."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from sysmanager.journal.port import GENESIS_HASH, JournalFailed, Record, chain_hash

__all__ = ["file_pages"]

PAGE_RECORDS = 2_000
"""Each page is a transaction of its own, so that a long reading does not keep the write-ahead log from being cut."""


def file_pages(path: Path, last: int, after: int = 0, previous_hash: bytes = GENESIS_HASH) -> Iterator[list[Record]]:
    """Records `after` + 1 to `last` in pages, with their hashes verified from `previous_hash` on. Raises `JournalFailed`."""
    query = "SELECT sequence, hash, body FROM record WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?"
    try:
        # Each page may be asked for from another thread of a pool, one after the other and never two at once.
        address = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)) as connection:
            while after < last:
                page: list[Record] = []
                for sequence, record_hash, body in connection.execute(query, (after, last, PAGE_RECORDS)):
                    expected = after + len(page) + 1
                    if sequence != expected or type(body) is not bytes or chain_hash(previous_hash, sequence, body) != record_hash:
                        raise JournalFailed(
                            f"The journal {path} is damaged at record {expected}; start the coordinator again to use the sound part."
                        )
                    page.append(Record(sequence=sequence, previous_hash=previous_hash, hash=record_hash, body=body))
                    previous_hash = record_hash
                if not page:
                    raise JournalFailed(f"The journal {path} ends at record {after}, and {last} were written; start the coordinator again.")
                after += len(page)
                yield page
    except sqlite3.Error as error:
        raise JournalFailed(f"The journal {path} can't be read ({error}); check the disk and the rights.") from error
