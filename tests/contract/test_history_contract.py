"""What every history promises. Its pages are compared with the same question put to a plain list."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import Failover, LogState, Phase, Reason, Severity, Trigger
from sysmanager.domain.ids import FailoverId, GroupId, RecorderId
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.history import file, query
from sysmanager.history.file import HistoryFile
from sysmanager.history.port import Damage, History, HistoryFailed, Position, Update, WrongQuestion, update_of
from sysmanager.history.sqlite import MemoryHistory, SqliteHistory
from sysmanager.history.words import sort_key
from sysmanager.protocol.clients import AuditOutcome, FindAudit, FindEntries, LogColumn
from tests.helpers import log_entries

COUNT = 300
ANNA = Actor(name="anna", role=RoleName.OPERATOR)
NAMES = {RecorderId(f"REC-{which:04d}"): f"Hall {which}" for which in range(40)}


def made(count: int = COUNT, seed: int = 1) -> list[Failover]:
    chance = random.Random(seed)
    return [log_entries.entry(number, chance, recorders=40, cameras=2) for number in range(1, count + 1)]


def updates_of(entries: list[Failover], first: int = 1) -> list[Update]:
    return [Update(sequence=first + place, entries=(entry,), names=NAMES) for place, entry in enumerate(entries)]


@pytest.fixture(params=["memory", "sqlite"])
async def history(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[History]:
    makers: dict[str, Callable[[], History]] = {"memory": MemoryHistory, "sqlite": lambda: SqliteHistory(tmp_path / "history.sqlite")}
    made_history = makers[request.param]()
    assert await made_history.open() == Position()
    yield made_history
    await made_history.close()


# ---------------------------------------------------------------- position


async def test_it_remembers_how_far_it_got_and_passes_over_what_it_has(history: History) -> None:
    entries = made(5)
    await history.write(updates_of(entries[:3]), b"three")
    await history.write(updates_of(entries), b"five")
    changed = msgspec.structs.replace(entries[0], note="never to be seen")
    await history.write(updates_of([changed]), b"one again")
    assert await history.open() == Position(sequence=5, digest=b"five")
    assert await history.entry(FailoverId("F00001")) == entries[0]
    assert (await history.find(FindEntries(), {})).total == 5
    assert await history.size_bytes() >= 0


async def test_a_later_version_of_an_entry_takes_the_place_of_the_earlier(history: History) -> None:
    (entry,) = made(1)
    opened = msgspec.structs.replace(entry, phase=Phase.FETCHED, note="at first")
    await history.write(updates_of([opened]), b"")
    assert (await history.find(FindEntries(states=(LogState.FAILOVER_RUNNING,), search="first"), {})).total is not None
    ended = msgspec.structs.replace(entry, phase=Phase.FAILED, reason=Reason.SAVING_FAILED, note="in the end")
    await history.write(updates_of([ended], 2), b"")
    assert (await history.find(FindEntries(states=(LogState.FAILOVER_RUNNING,)), {})).entries == ()
    assert (await history.find(FindEntries(search="first"), {})).entries == ()
    found = await history.find(FindEntries(states=(LogState.FAILOVER_FAILED,), search="end saving"), {})
    assert found.entries == (ended,)


async def test_after_clearing_it_begins_anew(history: History) -> None:
    await history.write(updates_of(made(3)), b"x")
    await history.clear()
    assert await history.open() == Position()
    assert (await history.find(FindEntries(), {})).entries == ()
    await history.write(updates_of(made(2)), b"y")
    assert (await history.find(FindEntries(), {})).total == 2


# ---------------------------------------------------------------- pages


def reason_of(entry: Failover) -> str:
    return entry.shown_reason.value if entry.shown_reason is not None else ""


SORT: dict[LogColumn, Callable[[Failover], Any]] = {
    LogColumn.STARTED: lambda entry: entry.number,
    LogColumn.SERVER: lambda entry: sort_key(NAMES[entry.recorder]),
    LogColumn.FAILOVER_SERVER: lambda entry: sort_key(entry.server or ""),
    LogColumn.TRIGGER: lambda entry: entry.trigger.value,
    LogColumn.STATE: lambda entry: entry.log_state.value,
    LogColumn.GAP: lambda entry: -1 if entry.worst_gap_ms is None else entry.worst_gap_ms,
    LogColumn.CAMERAS: lambda entry: len(entry.moved),
    LogColumn.STARTED_BY: lambda entry: entry.actor.name,
    LogColumn.REASON: reason_of,
}
SOME = made()[7]
QUESTIONS = [
    FindEntries(),
    FindEntries(states=(LogState.CANCELLED, LogState.FAILOVER_FAILED)),
    FindEntries(severities=(Severity.ERROR,)),
    FindEntries(triggers=(Trigger.MANUAL,), severities=(Severity.INFORMATION,)),
    FindEntries(reasons=(Reason.INCOMPATIBLE, Reason.NO_SETTINGS)),
    FindEntries(states=(LogState.SKIPPED,)),
    FindEntries(recorder=SOME.recorder),
    FindEntries(server=RecorderId("FO-002"), triggers=(Trigger.CONNECTION,)),
    FindEntries(group=GroupId("group-0")),
    FindEntries(since_wall_ms=log_entries.BEGIN_MS + 60_000_000, until_wall_ms=log_entries.BEGIN_MS + 120_000_000),
    FindEntries(search="giraffe"),
    FindEntries(search="POWER cu", states=(LogState.FAILBACK_READY,)),
    FindEntries(search="hall swap"),
    FindEntries(search="anna", recorder=SOME.recorder),
]


def matches(question: FindEntries, entry: Failover) -> bool:
    words = f"{entry.note} {entry.actor.name} {NAMES[entry.recorder]}".casefold().split()
    return (
        (not question.states or entry.log_state in question.states)
        and (not question.severities or entry.log_state.severity in question.severities)
        and (not question.triggers or entry.trigger in question.triggers)
        and (not question.reasons or entry.shown_reason in question.reasons)
        and question.recorder in (None, entry.recorder, entry.home)
        and question.server in (None, entry.server)
        and question.group in (None, entry.group)
        and entry.started_ms >= question.since_wall_ms
        and (not question.until_wall_ms or entry.started_ms < question.until_wall_ms)
        and all(any(word.startswith(wanted.casefold()) for word in words) for wanted in question.search.split())
    )


@pytest.fixture(params=["few are driven", "all are walked"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to a page give the same one, for every question."""
    if request.param == "all are walked":
        monkeypatch.setattr(query, "FEW", 0)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("question", QUESTIONS, ids=[str(place) for place in range(len(QUESTIONS))])
async def test_pages_are_those_of_a_plain_list(history: History, question: FindEntries) -> None:
    entries = made()
    await history.write(updates_of(entries), b"")
    for column in LogColumn:
        for descending in (True, False):
            spanned = column is LogColumn.STARTED and question.since_wall_ms
            key = (lambda entry: entry.started_ms) if spanned else SORT[column]
            wanted = [entry for entry in entries if matches(question, entry)]
            wanted.sort(key=lambda entry: (key(entry), entry.number), reverse=descending)
            asked = msgspec.structs.replace(question, sort=column, descending=descending, limit=90)
            found: list[Failover] = []
            while True:
                page = await history.find(asked, {})
                assert page.total in (None, len(wanted))
                found += page.entries
                if not page.next:
                    break
                assert len(page.entries) == 90
                asked = msgspec.structs.replace(asked, after=page.next)
            assert [entry.id for entry in found] == [entry.id for entry in wanted], (column, descending)
            assert found == wanted


async def test_new_entries_do_not_shift_the_pages_behind_a_cursor(history: History) -> None:
    entries = made(60)
    await history.write(updates_of(entries[:50]), b"")
    newest = FindEntries(limit=20)
    first = await history.find(newest, {})
    await history.write(updates_of(entries[50:], 51), b"")
    second = await history.find(msgspec.structs.replace(newest, after=first.next), {})
    wanted = entries[:50][::-1]
    assert [*first.entries, *second.entries] == wanted[:40]


async def test_a_word_is_found_by_the_present_name_of_a_server_too(history: History) -> None:
    entries = made(100)
    await history.write(updates_of(entries), b"")
    wanted = {entry.id for entry in entries if entry.recorder == SOME.recorder}
    assert (await history.find(FindEntries(search="annexe"), {})).entries == ()
    found = await history.find(FindEntries(search="annexe"), {"annexe": [SOME.recorder]})
    assert {entry.id for entry in found.entries} == wanted != set()


@pytest.mark.parametrize(
    ("question", "field"),
    [
        (FindEntries(limit=0), "limit"),
        (FindEntries(limit=201), "limit"),
        (FindEntries(after="nonsense"), "after"),
        (FindEntries(after='1 ["gap",true,1,1]'), "after"),
        (FindEntries(after='1 ["started",true,1,99999999999999999999]'), "after"),
        (FindEntries(after="\ud800"), "after"),
        (FindEntries(search="x" * 201), "search"),
        (FindEntries(search=" ".join("abcdefghijklmnop")), "search"),
        (FindEntries(since_wall_ms=1 << 62), "since_wall_ms"),
        (FindAudit(limit=1000), "limit"),
        (FindAudit(after="1"), "after"),
        (FindAudit(after="x y"), "after"),
    ],
)
async def test_questions_that_make_no_sense_are_refused_by_their_field(history: History, question: Any, field: str) -> None:
    await history.write(updates_of(made(3)), b"")
    with pytest.raises(WrongQuestion, match=field):
        await (history.find(question, {}) if isinstance(question, FindEntries) else history.audit(question))


@pytest.mark.parametrize("text", ['"', "' OR 1=1 --", "a*b", "NEAR(x y)", "-", "*", "(", "words:x", "_", "AND", "ÄÖ", "\x00"])
async def test_any_text_may_be_searched(history: History, text: str) -> None:
    await history.write(updates_of(made(3)), b"")
    assert (await history.find(FindEntries(search=text), {text: [RecorderId('"')]})).next == ""
    assert (await history.audit(FindAudit(search=text))).next == ""


async def test_one_entry_by_its_id(history: History) -> None:
    entries = made(12)
    await history.write(updates_of(entries), b"")
    assert await history.entry(FailoverId("F00012")) == entries[11]
    for wrong in ("F00013", "F12", "x", "", "F", "F" + "9" * 40, "F-1"):
        assert await history.entry(FailoverId(wrong)) is None


async def test_who_held_the_tasks_around_a_moment(history: History) -> None:
    entries = [entry for entry in made(600) if entry.recorder == SOME.recorder and entry.timeline.committed_ms]
    await history.write(updates_of(made(600)), b"")
    entries.sort(key=lambda entry: entry.timeline.committed_ms)
    moment = entries[3].timeline.committed_ms
    around = (await history.around(SOME.recorder, moment)).entries
    assert {entry.id for entry in around} == {entry.id for entry in entries[:5]}
    assert (await history.around(RecorderId("nobody"), moment)).entries == ()


# ---------------------------------------------------------------- remarks


async def test_a_remark_on_an_entry_that_left_the_tables_is_written_on_it(history: History) -> None:
    entries = made(3)
    await history.write(updates_of(entries), b"")
    comment = f.FactRecord(term=1, wall_ms=77, actor=ANNA, fact=f.EntryCommented(failover=entries[1].id, text="Looks like lightning."))
    unknown = f.FactRecord(term=1, wall_ms=77, actor=ANNA, fact=f.EntryCommented(failover=FailoverId("F00099"), text="x"))
    await history.write([update_of(4, comment, State()), update_of(5, unknown, State())], b"")
    found = await history.find(FindEntries(search="lightning"), {})
    assert [(entry.id, entry.comments[0].text, entry.comments[0].at_ms) for entry in found.entries] == [
        (entries[1].id, "Looks like lightning.", 77)
    ]
    # The names that its servers had then are still found, and sort it.
    name = NAMES[entries[1].recorder].split()[1]
    assert entries[1].id in {entry.id for entry in (await history.find(FindEntries(search=f"hall {name}"), {})).entries}
    by_name = (await history.find(FindEntries(sort=LogColumn.SERVER, descending=False), {})).entries
    assert [entry.id for entry in by_name] == [
        entry.id for entry in sorted(entries, key=lambda entry: (sort_key(NAMES[entry.recorder]), entry.number))
    ]


async def test_fields_of_an_entry_that_left_the_tables_are_changed(history: History) -> None:
    entries = made(3)
    await history.write(updates_of(entries), b"")
    patches = {entries[0].id: {"note": "the footage is back"}, FailoverId("F00099"): {"note": "x"}}
    await history.write([Update(sequence=4, patches=patches)], b"")
    found = await history.find(FindEntries(search="footage"), {})
    assert found.entries == (msgspec.structs.replace(entries[0], note="the footage is back"),)


# ---------------------------------------------------------------- audit


def answered(number: int, *, refused: bool) -> f.FactRecord:
    if refused:
        fact: f.AnyFact = f.RequestRefused(
            actor=ANNA, request="remove-recorder", about=f"REC-{number}", sentence=f"No {number}.", times=3, first_ms=number
        )
        return f.FactRecord(term=1, wall_ms=1_000 + number, actor=ANNA, fact=fact)
    answer = f.Answered(request="hold-failover", about=f"REC-{number}", sentence=f"Held {number}.")
    fact = f.HoldLifted(recorder=RecorderId(f"REC-{number}"), sentence="")
    return f.FactRecord(term=1, wall_ms=1_000 + number, actor=Actor(name="Bert", role=RoleName.ADMINISTRATOR), fact=fact, answer=answer)


async def test_the_audit_log_newest_first_in_pages_with_filters(history: History) -> None:
    records = [answered(number, refused=number % 3 == 0) for number in range(1, 31)]
    records.append(f.FactRecord(term=1, wall_ms=9, actor=ANNA, fact=f.CoordinatorStarted(term=1)))
    await history.write([update_of(number, record, State()) for number, record in enumerate(records, 1)], b"")
    lines, question = [], FindAudit(limit=7)
    while True:
        page = await history.audit(question)
        lines += page.lines
        if not page.next:
            break
        question = msgspec.structs.replace(question, after=page.next)
    assert [line.number for line in lines] == list(range(30, 0, -1))
    assert (lines[0].actor, lines[0].role, lines[0].outcome, lines[0].times) == ("anna", RoleName.OPERATOR, AuditOutcome.REFUSED, 3)
    assert (lines[1].actor, lines[1].request, lines[1].about, lines[1].sentence) == ("Bert", "hold-failover", "REC-29", "Held 29.")

    async def numbers(asked: FindAudit) -> list[int]:
        return [line.number for line in (await history.audit(asked)).lines]

    assert await numbers(FindAudit(outcome=AuditOutcome.REFUSED)) == [30, 27, 24, 21, 18, 15, 12, 9, 6, 3]
    assert await numbers(FindAudit(actor="Bert", since_wall_ms=1_020, until_wall_ms=1_024)) == [23, 22, 20]
    assert await numbers(FindAudit(search="rem no")) == [30, 27, 24, 21, 18, 15, 12, 9, 6, 3]
    assert await numbers(FindAudit(search="REC-29")) == [29]


# ---------------------------------------------------------------- forgetting


async def test_what_ended_long_ago_is_forgotten_and_what_is_open_never(history: History) -> None:
    entries = made(100)
    await history.write([*updates_of(entries), update_of(101, answered(1, refused=True), State())], b"")
    border = sorted(entry.started_ms for entry in entries)[50]
    while await history.prune(border):
        pass
    left = {entry.id for entry in (await history.find(FindEntries(limit=200), {})).entries}
    assert left == {entry.id for entry in entries if not entry.phase.ended or entry.ended_ms >= border}
    assert (await history.find(FindEntries(), {})).total == len(left)
    assert (await history.audit(FindAudit())).lines == ()
    gone = next(entry for entry in entries if entry.id not in left)
    assert await history.entry(gone.id) is None
    assert gone.id not in {entry.id for entry in (await history.find(FindEntries(search=str(gone.id)), {})).entries}


# ---------------------------------------------------------------- the file


async def test_a_file_is_found_again(tmp_path: Path) -> None:
    history = SqliteHistory(tmp_path / "history.sqlite")
    await history.open()
    await history.write(updates_of(made(20)), b"digest")
    await history.close()
    await history.close()
    again = SqliteHistory(tmp_path / "history.sqlite")
    with pytest.raises(HistoryFailed):
        await again.find(FindEntries(), {})
    assert await again.open() == Position(sequence=20, digest=b"digest")
    assert (await again.find(FindEntries(), {})).total == 20
    await again.check()
    assert await again.size_bytes() > 10_000
    await again.close()


@pytest.mark.parametrize("how", ["rubbish", "other version", "empty but for a table"])
async def test_a_file_that_is_no_history_is_set_aside(tmp_path: Path, how: str) -> None:
    path = tmp_path / "history.sqlite"
    if how == "rubbish":
        path.write_bytes(b"no database" * 1000)
    else:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE x (y)")
        connection.execute(f"PRAGMA user_version = {99 if how == 'other version' else 0}")
        connection.close()
    history = SqliteHistory(path)
    assert await history.open() == Position()
    assert (tmp_path / "history-damaged.sqlite").exists()
    await history.write(updates_of(made(2)), b"")
    await history.close()


async def test_damage_that_is_found_later_is_said_and_the_file_set_aside_at_the_next_opening(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    history = SqliteHistory(path)
    await history.open()
    await history.write(updates_of(made(300)), b"")
    await history.close()
    with path.open("r+b") as damaged:
        damaged.seek(4096)
        damaged.write(b"\xff" * (path.stat().st_size - 8192))
    history = SqliteHistory(path)
    if (await history.open()).sequence:
        with pytest.raises(Damage):
            await history.check()
    assert await history.open() == Position()
    await history.write(updates_of(made(2)), b"")
    assert (await history.find(FindEntries(), {})).total == 2
    await history.close()


async def test_a_large_file_is_not_checked_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = SqliteHistory(tmp_path / "history.sqlite")
    with pytest.raises(HistoryFailed):
        await history.check()
    await history.open()
    await history.write(updates_of(made(50)), b"")
    await history.check()
    monkeypatch.setattr(file, "CHECK_LIMIT_BYTES", 0)
    monkeypatch.setattr(HistoryFile, "_failing", None)
    history._reading.check()
    monkeypatch.undo()
    await history.close()


async def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    history = SqliteHistory(tmp_path / "file" / "history.sqlite")
    with pytest.raises(HistoryFailed, match="check the disk and the rights"):
        await history.open()
    await history.close()
