"""The one encoding: everything that can be said comes back unchanged; everything else is refused with one sentence (SPEC 18)."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sysmanager import wire
from sysmanager.coordinator.facts import AnyFact, FactRecord
from sysmanager.domain.failover import Failover
from sysmanager.domain.rights import COORDINATOR
from sysmanager.protocol import clients as c
from sysmanager.protocol import probes as p
from sysmanager.protocol import recorders as r
from sysmanager.wire import WireError
from tests.helpers.any_values import values

# ---------------------------------------------------------------- what comes back

FACTS = get_args(AnyFact)
RECORDER_UNIONS: list[Any] = [r.FromRecorder, r.Order, r.OrderAnswer, r.Standing, p.Probe, p.ProbeAnswer]
MESSAGES = [*(kind for union in RECORDER_UNIONS for kind in get_args(union)), r.Ask, r.Beacon, r.FetchDocument, r.Farewell]
KEPT = [Failover]
CLIENT_MESSAGES = [*get_args(c.Request), *get_args(c.Question), *get_args(c.Reply), *get_args(c.Answer), c.Snapshot, c.Changes, c.Call]
ONE_OF: list[Any] = [*RECORDER_UNIONS, c.Request, c.Question, c.Reply, c.Answer, c.Returned]


def named(kind: Any) -> str:
    return getattr(kind, "__name__", str(kind)[:40])


@pytest.mark.parametrize("kind", FACTS, ids=named)
def test_a_fact_comes_back_from_the_journal_as_it_was(kind: Any) -> None:
    @settings(max_examples=15, deadline=None)
    @given(values(kind), st.integers(0, 10**6))
    def comes_back(fact: Any, term: int) -> None:
        record = FactRecord(term=term, wall_ms=1_760_000_000_000, actor=COORDINATOR, fact=fact)
        assert wire.decode_fact(wire.encode_fact(record)) == record

    comes_back()


@pytest.mark.parametrize("kind", dict.fromkeys([*MESSAGES, *CLIENT_MESSAGES, *KEPT]), ids=named)
def test_a_message_comes_back_as_it_was(kind: Any) -> None:
    """Read as what it is, and as one of those of which the reader expects any."""
    readers = [kind, *(union for union in ONE_OF if kind in get_args(union))]

    @settings(max_examples=10, deadline=None)
    @given(values(kind))
    def comes_back(message: Any) -> None:
        assert [wire.decode(reader, wire.encode(message)) for reader in readers] == [message] * len(readers)

    comes_back()


@pytest.mark.parametrize("union", ONE_OF, ids=named)
def test_a_message_is_told_apart_from_the_others_of_its_union(union: Any) -> None:
    tags = [msgspec.inspect.type_info(kind).tag for kind in get_args(union)]
    assert len(set(tags)) == len(tags)


# ---------------------------------------------------------------- what is not understood

BEAT = wire.encode(
    r.Beat(
        recorder="A",
        instance="A-1",
        boot=1,
        sequence=1,
        wall_ms=1,
        version="1.0",
        mode=r.Mode.RECORDING,
        epoch=3,
        home="A",
        documents=None,
        disks=(r.DiskBeat("D:", True, 1, 2),),
        cameras=(r.CameraBeat("c1", r.CameraState.RECORDING, 1, 2),),
    )
)


def is_one_sentence(text: str) -> bool:
    return text.isprintable() and text.endswith(".") and 10 < len(text) < 300


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda data: b"1 " + data))
def test_random_bytes_are_refused_with_a_sentence(data: bytes) -> None:
    for read in (lambda: wire.decode(r.FromRecorder, data), lambda: wire.decode_fact(data), lambda: wire.decode(c.Request, data)):
        with pytest.raises(WireError) as refused:
            read()
        assert is_one_sentence(str(refused.value))


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_a_valid_message_with_some_bytes_changed_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    changed = bytearray(BEAT)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(changed[: data.draw(st.integers(0, len(changed)))]) if data.draw(st.booleans()) else bytes(changed)
    try:
        outcome: object = wire.decode(r.FromRecorder, cut)
    except WireError as refused:
        outcome = str(refused)
    assert is_one_sentence(outcome) if isinstance(outcome, str) else isinstance(outcome, r.Beat | r.WatchdogBeat)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "does not begin with a version number"),
        (b"{}", "does not begin with a version number"),
        (b"one {}", "does not begin with a version number"),
        (b"2 {}", "is of version 2; this program knows version 1"),
        (b"01 {}", "is of version 01; this program knows version 1"),
        (b"1 ", "Input data was truncated"),
        (b"1 []", "Expected `object`, got `array`"),
        (b'1 {"type":"beat"}', "missing required field"),
        (b"1 " + b'{"type":"beat","later":' + b"[" * 100_000, "nested too deeply"),
        (BEAT.replace(b'"boot":1', b'"boot":-1'), "Expected `int` >= 0"),
        (BEAT.replace(b'"epoch":3', b'"epoch":99999999999999999999'), "Expected `int` <= "),
        (BEAT.replace(b'"recording",1,2', b'"secret stuff",1,2'), "Invalid enum value - at `$.cameras[0][1]`"),
        (BEAT.replace(b'"D:"', b'"\xff"'), "utf-8"),
        (BEAT.replace(b'["c1","recording",1,2,"",0,0]', b",".join([b'["c1","recording",1,2,"",0,0]'] * 1025)), "length <= 1024"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_refused_with_a_sentence_without_its_content(data: bytes, sentence: str) -> None:
    with pytest.raises(WireError, match=r"^The message") as refused:
        wire.decode(r.FromRecorder, data)
    assert sentence in str(refused.value)
    assert "secret" not in str(refused.value)
    assert is_one_sentence(str(refused.value))


def test_a_request_with_a_field_that_nobody_knows_is_refused() -> None:
    data = wire.encode(c.ReleaseHold(recorder="A")).replace(b'"recorder"', b'"recorders"')
    with pytest.raises(WireError, match="unknown field `recorders`"):
        wire.decode(c.Request, data)


def test_a_record_of_a_later_journal_is_refused() -> None:
    with pytest.raises(WireError, match="The journal record is of version 2; this program knows version 1"):
        wire.decode_fact(b"2 {}")
