"""What is done with a damaged journal file: a copy is set aside, and a new file is made of the sound records at its beginning.

Nothing is deleted before its copy is synced. The new file takes its place by one rename, so a kill at any line is either before it
(the damage is found again) or after it (the new file holds the sentence that says what happened, see `Opened.damage`).
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from sysmanager.durable import sync_folder, write_durably
from sysmanager.journal.port import GENESIS_HASH, MAX_BODY_BYTES, chain_hash
from sysmanager.journal.schema import create_tables

__all__ = ["PAGE_BYTES", "Row", "beside", "finish_rebuild", "is_damage", "rebuild", "set_aside", "sound_rows", "write_database"]

Row = tuple[int, bytes, bytes]
"""Sequence, hash, body."""

PAGE_BYTES = 4096
_WORKING_PREFIX = ".salvage-"
_SIDE_SUFFIXES = ("-wal", "-journal", "-shm")
_NOT_DAMAGE = {
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_AUTH,
}


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the content of the file is to blame; otherwise it is the disk, the rights, or another program."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF not in _NOT_DAMAGE


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def sound_rows(connection: sqlite3.Connection, after: int = 0, previous_hash: bytes = GENESIS_HASH) -> Iterator[Row]:
    """The records after `after` until the chain breaks; raises `sqlite3.Error` where a page can't be read."""
    rows = connection.execute("SELECT sequence, hash, body FROM record WHERE sequence > ? ORDER BY sequence", (after,))
    for expected, (sequence, record_hash, body) in enumerate(rows, after + 1):
        if sequence != expected or type(body) is not bytes or len(body) > MAX_BODY_BYTES:
            return
        if chain_hash(previous_hash, sequence, body) != record_hash:
            return
        yield sequence, record_hash, body
        previous_hash = record_hash


def set_aside(path: Path, head_path: Path) -> Path:
    """Copy the journal's files as they are into a new folder `set-aside/<name>-<number>` next to them; that folder."""
    home = path.parent / "set-aside"
    home.mkdir(exist_ok=True)
    number = 1 + sum(1 for _ in home.glob(f"{path.name}-*"))
    while (folder := home / f"{path.name}-{number}").exists():
        number += 1
    unfinished = folder.with_name(folder.name + ".unfinished")
    unfinished.mkdir(exist_ok=True)
    for source in (path, beside(path, "-wal"), beside(path, "-journal"), head_path):
        if source.exists() and source.stat().st_size:
            shutil.copyfile(source, unfinished / source.name)
            _sync_file(unfinished / source.name)
    sync_folder(unfinished)
    unfinished.rename(folder)
    sync_folder(home)
    sync_folder(path.parent)
    return folder


def rebuild(path: Path, aside: Path, written: int | None) -> None:
    """Replace the journal at `path` (closed) by one of the sound records in `aside`.

    `written`: how many records there were by the head file, if known, for the sentence.
    """
    for left_by_a_kill in path.parent.glob(f"{_WORKING_PREFIX}*"):
        shutil.rmtree(left_by_a_kill)
    with TemporaryDirectory(prefix=_WORKING_PREFIX, dir=path.parent) as folder_name:
        copies = [_working_copy(path, aside, Path(folder_name) / "as-found"), _working_copy(path, aside, Path(folder_name) / "grafted")]
        _graft_first_page(copies[1])
        counts = [sum(1 for _ in _readable_rows(copy)) for copy in copies]
        best = copies[counts.index(max(counts))]
        rebuilding = beside(path, ".rebuilding")
        rebuilding.unlink(missing_ok=True)
        beside(rebuilding, "-journal").unlink(missing_ok=True)
        write_database(rebuilding, _readable_rows(best), _sentence(path, aside, max(counts), written))
    rebuilding.replace(beside(path, ".rebuilt"))
    sync_folder(path.parent)
    finish_rebuild(path)


def finish_rebuild(path: Path) -> None:
    """Put a rebuilt file in its place, also when a kill came between. The old files were set aside before it was made."""
    rebuilt = beside(path, ".rebuilt")
    if rebuilt.exists():
        for suffix in _SIDE_SUFFIXES:  # before the rename: SQLite would apply an old log to the new file
            beside(path, suffix).unlink(missing_ok=True)
        rebuilt.replace(path)
        sync_folder(path.parent)


def lost_and_used(kept: int, written: int) -> str:
    """Which records of a journal are lost, and what is used: ``its record 6 is lost and the 5 before it are used``."""
    one = written == kept + 1
    lost = f"its record {written} is lost" if one else f"its records {kept + 1} to {written} are lost"
    if kept == 0:
        return f"{lost} and none is left to be used"
    before = "before it" if one else "before them"
    return f"{lost} and the one {before} is used" if kept == 1 else f"{lost} and the {kept} {before} are used"


def _sentence(path: Path, aside: Path, kept: int, written: int | None) -> str:
    if written is not None and written <= kept:
        outcome = f"all its {kept} records could be read and are used"
    elif written is not None:
        outcome = lost_and_used(kept, written)
    else:
        outcome = f"its first {kept} records could be read and are used"
    return f"The journal {path} was damaged: {outcome}, and the damaged files are kept in {aside}."


def _working_copy(path: Path, aside: Path, folder: Path) -> Path:
    """A copy to read from: SQLite writes into the folder of what it opens, and what was set aside stays as it was."""
    folder.mkdir()
    for source in aside.iterdir():
        shutil.copyfile(source, folder / source.name)
    return folder / path.name


def _graft_first_page(database: Path) -> None:
    """Give it the first page of a new file: all that this page says is the same in every journal."""
    donor = database.with_name("donor")
    with closing(sqlite3.connect(donor, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        create_tables(connection)
    page = bytearray(donor.read_bytes()[:PAGE_BYTES])
    page[28:32] = bytes(4)  # pages in the file: 0 lets SQLite take them from its size
    content = database.read_bytes() if database.exists() else b""
    write_durably(database, bytes(page) + content[PAGE_BYTES:])


def _readable_rows(database: Path) -> Iterator[Row]:
    """`sound_rows` that end where the file can no longer be read."""
    if not database.exists():
        return
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        try:
            yield from sound_rows(connection)
        except UnicodeDecodeError:  # from the names of tables
            return
        except sqlite3.Error as error:
            if not is_damage(error):
                raise


def write_database(path: Path, rows: Iterator[Row], sentence: str) -> None:
    """Make a journal file of these records; its first opening says the sentence. Only a whole one has its tables and all records."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA synchronous = FULL")
        create_tables(connection)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO record VALUES (?, ?, ?)", rows)
        connection.execute("INSERT INTO damage (sentence) VALUES (?)", (sentence,))
        connection.execute("COMMIT")


def _sync_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
