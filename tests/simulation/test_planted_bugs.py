"""Bugs planted one at a time: the simulation reports each, by the rule that is there for it. If not, a checker is missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from sysmanager.coordinator import (
    automatic_failback,
    backup,
    decide,
    detection,
    evolve,
    failback,
    failover,
    listening,
    opening,
    preroll,
    probing,
    readiness_book,
    reconcile,
    requests,
    seen,
    standing,
    starting,
)
from sysmanager.coordinator.requests import backup as backup_request
from sysmanager.coordinator.table import Row
from sysmanager.domain.ids import Epoch, RecorderId
from sysmanager.domain.recorder import Broken as BrokenServer
from sysmanager.engine import core, snapshot
from sysmanager.history import file
from sysmanager.protocol.clients import BackUp, HoldFailover, ReleaseHold
from sysmanager.recorder.machine import orders
from sysmanager.simulation import snapshots
from sysmanager.simulation.backup_scenarios import ALL_SCENARIOS
from sysmanager.simulation.broken import Broken
from sysmanager.simulation.capture import Capture
from sysmanager.simulation.coordinator import SimulatedCoordinator
from sysmanager.simulation.faults import Deed, Wrong
from sysmanager.simulation.history import SimulatedHistory
from sysmanager.simulation.job_scenarios import JOB_SCENARIOS
from sysmanager.simulation.preroll import Preroll
from sysmanager.simulation.run import run_seed
from sysmanager.simulation.scenario import Scenario, Wish
from sysmanager.simulation.scenarios import ends_of, play, settle
from tests.simulation.planted_caution import PLANTED_CAUTION
from tests.simulation.planted_failback import PLANTED_FAILBACK
from tests.simulation.planted_found import PLANTED_FOUND
from tests.simulation.planted_jobs import PLANTED_JOBS
from tests.simulation.planted_poison import PLANTED_POISON
from tests.simulation.planted_waiting import PLANTED_WAITING

Patch = pytest.MonkeyPatch
BY_NAME = {scenario.name: scenario for scenario in (*ALL_SCENARIOS, *JOB_SCENARIOS)}
SEEDS = range(1, 60)


def change_row(patch: Patch, number: int, **changes: Any) -> None:
    def changed(rows: tuple[Row, ...]) -> tuple[Row, ...]:
        return tuple(dataclasses.replace(row, **changes) if row.number == number else row for row in rows)

    patch.setattr(decide, "TABLE", changed(decide.TABLE))
    patch.setattr(requests.failover, "FAILBACK_TABLE", changed(requests.failover.FAILBACK_TABLE))
    patch.setattr(requests.failover, "FAILOVER_TABLE", changed(requests.failover.FAILOVER_TABLE))


def never(_: object) -> bool:
    return False


def always(_: object) -> bool:
    return True


# ---------------------------------------------------------------- the bugs


def timeout_one_second_short(patch: Patch) -> None:
    right = detection.governing

    def governing(view: Any, row: Any) -> Any:
        found = right(view, row)
        return msgspec.structs.replace(found, detection_timeout_s=found.detection_timeout_s - 1)

    patch.setattr(detection, "governing", governing)


def own_silence_counts(patch: Patch) -> None:
    patch.setattr(listening, "LISTEN_GAP_MS", 10**9)


def hold_is_ignored(patch: Patch) -> None:
    right = starting.why_not_automatic

    def why_not_automatic(view: Any, row: Any) -> str | None:
        why = right(view, row)
        return None if why == "failover is held" else why

    patch.setattr(starting, "why_not_automatic", why_not_automatic)
    patch.setattr(probing, "why_not_automatic", why_not_automatic)


def any_answer_confirms(patch: Patch) -> None:
    change_row(patch, 30, when=lambda case: failover._current_answer(case) is not None)


def commit_without_confirmation(patch: Patch) -> None:
    change_row(patch, 41, phases=(*failover._UNDER_WAY,))


def queue_is_forgotten(patch: Patch) -> None:
    for module in (failover, opening):
        patch.setattr(module, "running_in_group", lambda view, group: None)


def failback_is_unknown_to_the_reconcile(patch: Patch) -> None:
    patch.setattr(reconcile, "_newest_epoch", lambda view, row: row.assignment.epoch)


def third_server_is_tried(patch: Patch) -> None:
    change_row(patch, 33, when=never)


def waiting_is_for_ever(patch: Patch) -> None:
    change_row(patch, 12, when=never)


def epochs_are_given_out_twice(patch: Patch) -> None:
    for subject in (evolve.tables, evolve.system, evolve.failover, evolve.failback, evolve.reconcile):
        patch.setattr(subject, "epoch_used", lambda state, epoch: None)


def tables_change_without_a_fact(patch: Patch) -> None:
    right = decide.remember

    def remember(view: Any, seen: Any, fact: Any, before: Any, now: Any) -> None:
        right(view, seen, fact, before, now)
        view.next_epoch = Epoch(view.next_epoch + 1)

    patch.setattr("sysmanager.engine.core.remember", remember)


def replaced_recorder_is_never_told(patch: Patch) -> None:
    right = standing.goal
    patch.setattr(standing, "goal", lambda view, row: None if isinstance(row.assignment, BrokenServer) else right(view, row))


def failback_does_not_wait_for_frames(patch: Patch) -> None:
    change_row(patch, 131, when=always)


def failback_steps_are_swapped(patch: Patch) -> None:
    change_row(patch, 140, then=failback._notified)


def dispatch_comes_before_append(patch: Patch) -> None:
    right = SimulatedCoordinator._write

    def append(self: Any, batch: Any, life: int) -> None:
        self._appending = False
        self._dispatch(batch)
        right(self, [__import__("sysmanager.wire").wire.encode_fact(record) for record in batch.records])
        self._pump()

    patch.setattr(SimulatedCoordinator, "_append", append)


def reconcile_forgets_the_highest_epoch(patch: Patch) -> None:
    right = reconcile.confirmed

    def confirmed(*args: Any) -> Any:
        return msgspec.structs.replace(right(*args), adjustments=())

    patch.setattr(requests.reconcile, "confirmed", confirmed)


def recorder_obeys_old_epochs(patch: Patch) -> None:
    patch.setattr(orders, "highest_epoch", lambda state: Epoch(0))


def recorder_records_before_it_saves(patch: Patch) -> None:
    right = orders._check_and_save

    def check_and_save(state: Any, pending: Any, settings: Any) -> Any:
        new, effects = right(state, pending, settings)
        if new.pending is None:
            return new, effects
        _, early = orders._follow(new, new.pending)
        return new, (*early[:1], *effects)

    patch.setattr(orders, "_check_and_save", check_and_save)


def standing_down_removes_footage(patch: Patch) -> None:
    right = Capture.stop

    def stop(self: Any) -> None:
        right(self)
        self._material._spans.clear()

    patch.setattr(Capture, "stop", stop)


def planned_switch_does_not_wait_for_frames(patch: Patch) -> None:
    change_row(patch, 406, when=always)


def failed_switch_leaves_the_cameras_released(patch: Patch) -> None:
    right = standing.let_go_by

    def released(view: Any, recorder: Any) -> Any:
        entries = [entry for entry in view.failovers.values() if entry.recorder == recorder and entry.trigger == "planned switch"]
        return right(view, recorder) or tuple(camera for entry in entries for camera in entry.moved[:1])

    patch.setattr(standing, "let_go_by", released)


def automatic_failback_forgets_how_long(patch: Patch) -> None:
    patch.setattr(seen.Seen, "stable_ms", lambda self, recorder: 10**9)
    patch.setattr(seen.Seen, "standing_ms", lambda self, failover: 10**9)


def automatic_failback_after_one_by_hand(patch: Patch) -> None:
    right = automatic_failback._obstacle
    patch.setattr(automatic_failback, "_obstacle", lambda view, seen, entry, home: right(view, seen, replace(entry, by_hand=False), home))


def flapping_is_forgotten_at_a_restart(patch: Patch) -> None:
    patch.setattr(failover, "held_after_commit", lambda view, seen, entry, now: ())


def preroll_takes_the_only_session(patch: Patch) -> None:
    patch.setattr(preroll, "SESSIONS", 1)
    patch.setattr(preroll, "SESSIONS_AWAY", 1)


def preroll_knows_no_memory(patch: Patch) -> None:
    patch.setattr(preroll, "LEAST_S", 10**6)
    right = preroll._within_limits

    def within_limits(beat: Any, shares: Any) -> Any:
        roomy = msgspec.structs.replace(beat.preroll, memory_mb=10**6)
        return right(msgspec.structs.replace(beat, preroll=roomy), shares)

    patch.setattr(preroll, "_within_limits", within_limits)


def preroll_is_dropped_at_the_take_over(patch: Patch) -> None:
    right = Preroll.take_over

    def take_over(self: Any, cameras: Any) -> Any:
        right(self, cameras)
        return {}

    patch.setattr(Preroll, "take_over", take_over)


def history_misses_entries_that_another_fact_changed(patch: Patch) -> None:
    right = core.update_of

    def update_of(sequence: int, record: Any, state: Any) -> Any:
        update = right(sequence, record, state)
        return replace(update, entries=update.entries[-1:])

    patch.setattr(core, "update_of", update_of)


def history_forgets_what_a_kill_left_unwritten(patch: Patch) -> None:
    patch.setattr(SimulatedHistory, "caught_up", lambda self, started, journal: None)


def a_remark_on_an_old_entry_is_lost(patch: Patch) -> None:
    patch.setattr(file, "remarked", lambda row, fact, actor, wall_ms: row)


def ended_entries_leave_memory_by_their_number(patch: Patch) -> None:
    """Live ones only: a replay drops them in the order in which they ended."""
    right = core.evolve

    def evolve_(state: Any, record: Any) -> None:
        right(state, record)
        while len(state.ended) > 2:
            oldest = min(state.ended)
            del state.ended[oldest], state.failovers[oldest]

    patch.setattr(core, "evolve", evolve_)


def refusals_are_not_audited(patch: Patch) -> None:
    patch.setattr(core, "audited", lambda refusals, taken, reply, now: ())


def what_was_done_is_not_audited(patch: Patch) -> None:
    patch.setattr(core, "answered", lambda taken, reply: None)


LONG_LOG = "entries leave memory, are commented on all the same, and the log is whole after a kill"


def readiness_of_others_is_forgotten(patch: Patch) -> None:
    def expand(self: Any, view: Any, seen: Any, recorder: Any) -> None:
        self._waiting[recorder] = None

    patch.setattr(readiness_book.ReadinessBook, "_expand", expand)


KEPT = "pre-roll: the server that keeps the cameras takes over, though another one comes first in the group"


def edits_are_left_behind(patch: Patch) -> None:
    patch.setattr(failback, "current_documents", lambda view, seen, entry: entry.documents)
    change_row(patch, 134, when=never)


def edits_during_a_failback_are_lost(patch: Patch) -> None:
    change_row(patch, 134, when=never)


def baseline_is_forgotten(patch: Patch) -> None:
    patch.setattr(backup, "commands", lambda view: ())
    patch.setattr(backup, "BASELINE_MS", 10**9)


def baseline_covers_the_last_failover_only(patch: Patch) -> None:
    right = evolve.backup._begun

    def begun(state: Any, number: int, wall_ms: int) -> Any:
        found = right(state, number, wall_ms)
        return msgspec.structs.replace(found, covers=found.covers[-1:])

    patch.setattr(evolve.backup, "_begun", begun)


def queue_does_not_wait_for_the_baseline(patch: Patch) -> None:
    patch.setattr(failover, "baseline_holds", lambda view, group: False)


def baseline_has_no_limit(patch: Patch) -> None:
    patch.setattr(backup, "BASELINE_MS", 10**9)


def a_missing_baseline_is_left_missing(patch: Patch) -> None:
    patch.setattr(backup, "AGAIN_MS", 10**9)


def backups_by_hand_are_never_refused(patch: Patch) -> None:
    patch.setattr(backup_request, "why_no_backup", lambda view: None)


def snapshot_forgets_a_table(patch: Patch) -> None:
    right = snapshot.copied
    patch.setattr(snapshots, "copied", lambda state: {name: table for name, table in right(state).items() if name != "holds"})


def snapshot_of_another_journal_is_believed(patch: Patch) -> None:
    patch.setattr(snapshots, "_digest", lambda journal: b"")
    patch.setattr(snapshots, "EVERY_BATCHES", 45)


def _to_and_fro(at_ms: int, times: int) -> tuple[Wish, ...]:
    """Facts of no consequence."""
    requests = (HoldFailover(recorder=RecorderId("A2")), ReleaseHold(recorder=RecorderId("A2")))
    return tuple(Wish(at_ms=at_ms + 50 * number, request=requests[number % 2]) for number in range(times))


KILLED_WHEN_HELD = Scenario(
    name="held, and killed after a snapshot",
    groups=((3, 2),),
    wishes=(Wish(at_ms=0, request=HoldFailover(recorder=RecorderId("A3"))), *_to_and_fro(1_000, 50)),
    deeds=(Deed(at_ms=30_000, what=Wrong.KILLED, lasts_ms=1_000),),
    until_ms=40_000,
)
CUT_AND_GONE_ON = Scenario(
    name="the journal is cut behind a snapshot, goes on, and is read again",
    groups=((3, 2),),
    wishes=(*_to_and_fro(1_000, 40), *_to_and_fro(30_000, 30)),
    deeds=(Deed(at_ms=20_000, what=Wrong.JOURNAL_CUT, amount=25, lasts_ms=1_000), Deed(at_ms=45_000, what=Wrong.KILLED, lasts_ms=1_000)),
    until_ms=60_000,
)

BACKED_UP_IN_A_RESTORE = Scenario(
    name="a backup is asked for before the restore is confirmed",
    deeds=(
        Deed(at_ms=2_000, what=Wrong.POWER, target="A1", lasts_ms=20_000),
        Deed(at_ms=30_000, what=Wrong.RESTORED, amount=9, lasts_ms=2_000),
    ),
    wishes=(Wish(at_ms=0, request=BackUp()), Wish(at_ms=40_000, request=BackUp())),
)


HELD = Scenario(
    name="held, then lost",
    wishes=(Wish(at_ms=0, request=HoldFailover(recorder="A1")),),  # type: ignore[arg-type]  # an id is text
    deeds=(Deed(at_ms=1_000, what=Wrong.POWER, target="A1"),),
    heals=False,
)

FLAPS = "two failovers within an hour: it waits for a person, across a restart, and fails over all the same"

EDITED = "settings that are changed on the failover server during a failback undo it, and the next one takes them along"
ROT = "copies rot on the disks at home: nothing is marked copied, and the next try works"

PLANTED: tuple[tuple[Callable[[Patch], None], str | Scenario | None, set[str]], ...] = (
    (timeout_one_second_short, "connection lost", {"never early"}),
    (own_silence_counts, "a paused coordinator blames nobody", {"never early"}),
    (hold_is_ignored, HELD, {"automatic only where allowed"}),
    (any_answer_confirms, "refusal, then the next", {"committed to who saved"}),
    (commit_without_confirmation, "connection lost", {"steps by the table", "committed to who saved"}),
    (queue_is_forgotten, "two of one group: the queue in order", {"one at a time in a group"}),
    (third_server_is_tried, "two lost, then it fails", {"two lost at most"}),
    (waiting_is_for_ever, "two of one group: the queue in order", {"waiting is taken up"}),
    (epochs_are_given_out_twice, "connection lost", {"epochs are fresh", "system data sound"}),
    (tables_change_without_a_fact, "connection lost", {"replay equals live"}),
    (replaced_recorder_is_never_told, "cut off, it records on until it learns that it was replaced", {"comes to rest"}),
    (planned_switch_does_not_wait_for_frames, "planned switch, and back", {"first frames before a switch"}),
    (failed_switch_leaves_the_cameras_released, "planned switch gives way to a failover of the group", {"comes to rest"}),
    (failback_does_not_wait_for_frames, "failback", {"first frames before a failback"}),
    (failback_steps_are_swapped, "failback", {"steps by the table", "system data sound", "every fact has its rule"}),
    (dispatch_comes_before_append, "connection lost", {"durable before done", "replay equals live"}),
    (reconcile_forgets_the_highest_epoch, "the journal loses the failover: reconcile, confirm, and it works", {"comes to rest"}),
    (failback_is_unknown_to_the_reconcile, None, {"nothing to confirm unasked"}),
    (recorder_obeys_old_epochs, "an order of an older epoch comes late, and is refused", {"no older epoch obeyed"}),
    (recorder_records_before_it_saves, "connection lost", {"saved before recorded"}),
    (readiness_of_others_is_forgotten, "vanishes when asked, then the next", {"readiness is current"}),
    (preroll_takes_the_only_session, None, {"pre-roll within limits", "comes to rest"}),
    (preroll_knows_no_memory, None, {"pre-roll within limits"}),
    (preroll_is_dropped_at_the_take_over, KEPT, {"pre-roll is written"}),
    (standing_down_removes_footage, "failback", {"footage stays"}),
    *PLANTED_FAILBACK,
    *PLANTED_FOUND,
    *PLANTED_JOBS,
    *PLANTED_CAUTION,
    *PLANTED_WAITING,
    *PLANTED_POISON,
    (automatic_failback_forgets_how_long, "a crash in between begins the time anew", {"automatic failback where allowed"}),
    (automatic_failback_after_one_by_hand, "after a failover by hand only a person fails back", {"automatic failback where allowed"}),
    (edits_are_left_behind, "what was changed on the failover server travels back", {"edits travel back"}),
    (edits_during_a_failback_are_lost, EDITED, {"edits travel back"}),
    (flapping_is_forgotten_at_a_restart, FLAPS, {"flapping is held"}),
    (history_misses_entries_that_another_fact_changed, "the acting server breaks, then the next", {"the log agrees with the journal"}),
    (history_forgets_what_a_kill_left_unwritten, LONG_LOG, {"the log agrees with the journal"}),
    (a_remark_on_an_old_entry_is_lost, LONG_LOG, {"the log agrees with the journal"}),
    (ended_entries_leave_memory_by_their_number, LONG_LOG, {"replay equals live"}),
    (refusals_are_not_audited, LONG_LOG, {"every answer is audited"}),
    (what_was_done_is_not_audited, LONG_LOG, {"every answer is audited"}),
    (baseline_is_forgotten, "the queue waits for a slow baseline, and goes on after 10 s", {"the baseline has its time"}),
    (baseline_covers_the_last_failover_only, "one baseline for the failovers of several groups", {"one baseline covers all"}),
    (queue_does_not_wait_for_the_baseline, "the queue waits for a slow baseline, and goes on after 10 s", {"queue waits for the baseline"}),
    (baseline_has_no_limit, "the queue waits for a slow baseline, and goes on after 10 s", {"the baseline has its time"}),
    (a_missing_baseline_is_left_missing, "a baseline that cannot be made holds nobody up, and is made later", {"comes to rest"}),
    (snapshot_forgets_a_table, KILLED_WHEN_HELD, {"replay equals live"}),
    (snapshot_of_another_journal_is_believed, CUT_AND_GONE_ON, {"replay equals live"}),
    (backups_by_hand_are_never_refused, BACKED_UP_IN_A_RESTORE, {"no backup by hand meanwhile"}),
)


@pytest.mark.parametrize(("plant", "where", "rules"), PLANTED, ids=lambda value: getattr(value, "__name__", ""))
def test_a_planted_bug_is_caught(plant: Callable[[Patch], None], where: str | Scenario | None, rules: set[str], monkeypatch: Patch) -> None:
    plant(monkeypatch)
    assert broken_rule(where) in rules


def broken_rule(where: str | Scenario | None) -> str | None:
    """Which rule the scenario breaks, or ``ends`` if it only ends otherwise; without one, the first of the seeds that breaks any."""
    if where is None:
        for seed in SEEDS:
            outcome = run_seed(seed, short=True)
            if outcome.failure is not None:
                return outcome.failure.rule
        return None
    scenario = BY_NAME[where] if isinstance(where, str) else where
    try:
        world = play(scenario)
        ends = ends_of(world)
        settle(world)
    except Broken as broken:
        return broken.rule
    return "ends" if ends != scenario.ends else None
