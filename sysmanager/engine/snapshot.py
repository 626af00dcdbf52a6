"""The tables as they were at a record of the journal, so that a start replays only what follows (DESIGN).

A snapshot is derived data: one that is damaged, of another program or not of this journal is passed over, and the journal is replayed from
its beginning. It is taken daily, after many facts, and at a clean stop. The tables are copied at once, as their rows never change; a
worker's thread then turns them into bytes in small portions, so that the engine's loop goes on.
"""

from __future__ import annotations

import hashlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, get_origin, get_type_hints

import msgspec

from sysmanager import __version__, coordinator, domain
from sysmanager.coordinator import state as state_module
from sysmanager.coordinator.state import State, View
from sysmanager.domain.ids import FailoverId

MAGIC = b"sysmanager snapshot 1\n"
PORTION_ROWS = 200
"""Rows that are encoded at a time: a few milliseconds, between which other threads run."""

LENGTH_BYTES = 4
DERIVED = {"news", "patches", "ended_kept"}
"""What a state has and a snapshot does not: what the last fact did, and a setting."""


class SnapshotUnusable(Exception):
    """It is damaged, or of another program. The text is one sentence, for the log: the journal is replayed instead."""


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Up to which record of which journal: its sequence, hash and body."""

    sequence: int
    hash: bytes
    body: bytes


class _Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    program: str
    position: Position


@cache
def table_types() -> Mapping[str, Any]:
    """Every table of `State`, and what is in it."""
    hints: dict[str, Any] = {"ended": dict[FailoverId, None]}
    for name, member in vars(View).items():
        if isinstance(member, property):
            hints[name] = get_type_hints(member.fget)["return"]
    return hints


def copied(state: State) -> dict[str, Any]:
    """The tables as they are now; rows are shared, as they never change. Quick: for the engine's loop."""
    return {name: _copy(getattr(state, name)) for name in table_types()}


def _copy(value: object) -> object:
    match value:
        case dict():
            return {key: _copy(inner) for key, inner in value.items()}
        case set():
            return set(value)
        case _:
            return value


def encode(tables: Mapping[str, Any], position: Position) -> bytes:
    """The file's content. Takes a while for large tables: for a worker's thread."""
    parts = [MAGIC]
    for blob in _blobs(tables, position):
        parts += (len(blob).to_bytes(LENGTH_BYTES, "big"), blob)
    content = b"".join(parts)
    return content + hashlib.sha256(content).digest()


def _blobs(tables: Mapping[str, Any], position: Position) -> Iterator[bytes]:
    encoder = msgspec.msgpack.Encoder()
    yield encoder.encode(_Header(program=_program(), position=position))
    for name, value in tables.items():
        if not isinstance(value, dict):
            yield encoder.encode((name, value))
            continue
        keys = list(value)
        for start in range(0, max(1, len(keys)), PORTION_ROWS):
            yield encoder.encode((name, {key: value[key] for key in keys[start : start + PORTION_ROWS]}))


def position_of(content: bytes) -> Position:
    """Which record it was taken at. Raises SnapshotUnusable."""
    return _checked(content)[0]


def decode(content: bytes, ended_kept: int) -> tuple[State, Position]:
    """The tables. Raises SnapshotUnusable."""
    position, blobs = _checked(content)
    state, types = State(ended_kept), table_types()
    try:
        for blob in blobs:
            name, raw = msgspec.msgpack.decode(blob, type=tuple[str, msgspec.Raw])
            value = msgspec.msgpack.decode(raw, type=types[name])
            if isinstance(value, dict):
                getattr(state, name).update(value)
            else:
                setattr(state, name, value)
    except (msgspec.DecodeError, KeyError) as error:
        raise SnapshotUnusable(f"The snapshot of the tables makes no sense ({error}).") from error
    return state, position


def _checked(content: bytes) -> tuple[Position, list[memoryview]]:
    body, digest = content[:-32], content[-32:]
    if not content.startswith(MAGIC) or hashlib.sha256(body).digest() != digest:
        raise SnapshotUnusable("The snapshot of the tables is damaged, or is none.")
    blobs, start, view = [], len(MAGIC), memoryview(body)
    while start < len(body):
        end = start + LENGTH_BYTES + int.from_bytes(view[start : start + LENGTH_BYTES], "big")
        blobs.append(view[start + LENGTH_BYTES : end])
        start = end
    try:
        header = msgspec.msgpack.decode(blobs[0], type=_Header)
    except (msgspec.DecodeError, IndexError) as error:
        raise SnapshotUnusable(f"The snapshot of the tables has no header ({error}).") from error
    if header.program != _program():
        raise SnapshotUnusable("The snapshot of the tables was taken by another version of the program.")
    return header.position, blobs[1:]


def state_hash(state: State) -> str:
    """The same for equal tables, whatever made them; the order of open and ended entries counts."""
    orders = {name: list(getattr(state, name)) for name in ("open", "ended")}
    content = msgspec.msgpack.encode((copied(state), orders), order="deterministic")
    return hashlib.sha256(content).hexdigest()


@cache
def _program() -> str:
    """A fingerprint of all that makes and reads tables: types of the rows, and the code that applies facts.

    A program that could make other tables of the same facts does not believe this one's snapshots.
    """
    types = {name: kind for name, kind in table_types().items() if get_origin(kind) is not None or isinstance(kind, type)}
    digest = hashlib.sha256(__version__.encode())
    digest.update(msgspec.json.encode(msgspec.json.schema_components(list(types.values())), order="deterministic"))
    digest.update(_source(state_module))
    for package in (coordinator, domain):
        for found in sorted(pkgutil.walk_packages(package.__path__, f"{package.__name__}."), key=lambda found: found.name):
            if ".evolve" in found.name or ".facts" in found.name or package is domain:
                digest.update(_source(import_module(found.name)))
    return digest.hexdigest()


def _source(module: ModuleType) -> bytes:
    """Of a program that came without its sources the version has to do."""
    try:
        return inspect.getsource(module).encode()
    except OSError:
        return b""
