"""The baseline after a failover, row by row; the queue that waits for it; and when a person may back up (SPEC 7)."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.backup import AGAIN_MS, BASELINE_MS, BASELINE_TABLE, BackupCase, commands, decide_ended, due_ms, review
from sysmanager.coordinator.commands import MakeBackup
from sysmanager.coordinator.evolve import evolve
from sysmanager.domain.backup import SALT_BYTES, BackupFile, BackupKind, BaselineStage, RecoveryKey, unfit_key
from sysmanager.domain.failover import Phase
from sysmanager.domain.rights import RoleName
from sysmanager.engine.alarms import baseline_alarms, queue_alarms
from sysmanager.protocol import clients as c
from tests.helpers.coordination import ADMIN, Site, contents, rid, small_site

KEY = RecoveryKey(salt=bytes(SALT_BYTES), cost=1 << 14, block=8, lanes=1, public=bytes(32))


def made(site: Site) -> list[MakeBackup]:
    return [command for _, command in site.commands if isinstance(command, MakeBackup)]


def stage(site: Site) -> BaselineStage:
    return site.state.backups.baseline.stage


def running_site() -> Site:
    """A was failed over; its baseline is being made, and nobody says yet how it ended."""
    site = small_site()
    site.backup_ends = False
    site.fail_over("A")
    assert stage(site) is BaselineStage.RUNNING
    return site


def two_groups() -> Site:
    """Recorder C and failover server G in a group of their own; nobody says how a backup ended."""
    site = small_site()
    site.ask(c.SaveGroup(group=msgspec.structs.replace(site.state.groups["g"], id="h", name="Harbour")))  # type: ignore[index]
    site.add("C", group="h")
    site.add("G", failover=True, group="h")
    site.run(3_000)
    site.backup_ends = False
    return site


# ---------------------------------------------------------------- rows


def test_row_600_a_failover_that_ended_begins_a_baseline_in_the_same_transaction() -> None:
    site = small_site()
    site.fail_over("A")
    kinds = [type(fact) for fact in site.facts]
    assert kinds[kinds.index(f.ClientsNotified) + 1] is f.BackupStarted
    assert [command.kind for command in made(site)] == [BackupKind.BASELINE]
    assert site.entry.backup == "baseline-1"
    assert stage(site) is BaselineStage.DONE


def test_row_600_one_baseline_covers_all_failovers_that_ended_before_it_began() -> None:
    site = two_groups()
    site.fail_over("A")
    site.fail_over("C")
    assert list(site.state.uncovered) == ["F00002"], "it ended after the backup began"
    site.end_backup(made(site)[0])
    site.settle()
    assert [entry.backup for entry in site.state.failovers.values()] == ["baseline-1", ""]
    assert [command.number for command in made(site)] == [1, 2]
    site.end_backup(made(site)[1])
    site.settle()
    assert [entry.backup for entry in site.state.failovers.values()] == ["baseline-1", "baseline-2"]
    assert stage(site) is BaselineStage.DONE


def test_row_601_a_baseline_that_comes_late_ends_the_alarm() -> None:
    site = running_site()
    site.run(BASELINE_MS)
    assert stage(site) is BaselineStage.LATE
    site.end_backup(made(site)[0])
    site.settle()
    assert stage(site) is BaselineStage.DONE
    assert baseline_alarms(site.state) == []


def test_row_602_a_baseline_that_fails_is_missing_with_its_reason() -> None:
    site = small_site()
    site.backup_fails = "The disk is full."
    site.fail_over("A")
    assert stage(site) is BaselineStage.MISSING
    (alarm,) = baseline_alarms(site.state)
    assert "is missing" in alarm.sentence
    assert "The disk is full." in alarm.sentence
    assert site.entry.backup == ""


def test_row_603_after_ten_seconds_an_alarm_says_so_once() -> None:
    site = running_site()
    site.run(BASELINE_MS - 1_100)
    assert stage(site) is BaselineStage.RUNNING
    assert baseline_alarms(site.state) == []
    site.run(30_000)
    assert len(site.of(f.BaselineLate)) == 1
    (alarm,) = baseline_alarms(site.state)
    assert "not ready after 10 s" in alarm.sentence
    assert len(made(site)) == 1, "it is still being made"


def test_row_604_it_is_tried_again_after_a_pause_until_it_is_made_and_the_alarm_keeps_its_moment() -> None:
    site = small_site()
    site.backup_fails = "The disk is full."
    site.fail_over("A")
    (first,) = baseline_alarms(site.state)
    site.run(AGAIN_MS + 100)
    assert len(made(site)) == 2
    assert stage(site) is BaselineStage.MISSING
    (second,) = baseline_alarms(site.state)
    assert second.since_wall_ms == first.since_wall_ms
    site.backup_fails = ""
    site.run(AGAIN_MS + 100)
    assert stage(site) is BaselineStage.DONE
    assert site.entry.backup == "baseline-3"


def test_rows_cover_every_stage_and_their_numbers_are_their_own() -> None:
    assert {stage for row in BASELINE_TABLE for stage in row.stages} == set(BaselineStage)
    assert len({row.number for row in BASELINE_TABLE}) == len(BASELINE_TABLE)


@pytest.mark.parametrize("row", BASELINE_TABLE, ids=lambda row: str(row.number))
def test_no_row_holds_without_its_cause(row: object) -> None:
    site = small_site()
    case = BackupCase(site.state, site.core.seen, site.now, None)
    assert not row.when(case) or row.number in (603, 604)  # type: ignore[attr-defined]  # those count time, whatever the stage


def test_what_ended_long_ago_says_nothing() -> None:
    site = running_site()
    old = i.BackupEnded(number=7, kind=BackupKind.BASELINE)
    assert review(site.state, site.core.seen, site.now, old) == ((), None)
    assert decide_ended(site.state, site.core.seen, i.BackupEnded(number=7, kind=BackupKind.MANUAL), site.now) == ((), None)


def test_a_baseline_is_made_also_when_an_entry_that_it_covers_is_not_in_the_tables_any_more() -> None:
    site = running_site()
    state = site.replayed()
    state.failovers.clear()
    file = BackupFile(number=1, name="baseline-1", made_ms=1, size_bytes=1, position=1)
    evolve(state, f.FactRecord(term=1, wall_ms=1, actor=ADMIN, fact=f.BackupMade(kind=BackupKind.BASELINE, file=file)))
    assert state.backups.baseline.file == file


# ---------------------------------------------------------------- the queue


def test_the_queue_of_the_group_waits_for_the_baseline_and_goes_on_when_it_is_made() -> None:
    site = running_site()
    site.ask(c.StartFailover(recorder=rid("B")))
    assert site.entry.phase is Phase.QUEUED
    assert [alarm.key for alarm in queue_alarms(site.state)] == ["queue g"]
    site.end_backup(made(site)[0])
    site.run(1_000)
    assert site.entry.phase is Phase.READY
    assert queue_alarms(site.state) == []


def test_the_queue_goes_on_after_ten_seconds_at_the_latest() -> None:
    site = running_site()
    site.ask(c.StartFailover(recorder=rid("B")))
    site.run(8_000)
    assert site.entry.phase is Phase.QUEUED
    site.run(2_500)
    assert site.entry.phase is Phase.READY


def test_the_queue_goes_on_at_once_when_the_baseline_fails() -> None:
    site = running_site()
    site.ask(c.StartFailover(recorder=rid("B")))
    site.backup_fails = "The disk is full."
    site.end_backup(made(site)[0])
    site.run(500)
    assert site.entry.phase is Phase.READY


def test_other_groups_do_not_wait() -> None:
    site = two_groups()
    site.fail_over("A")
    site.fail_over("C")
    assert site.entry.recorder == "C"
    assert stage(site) is BaselineStage.RUNNING


# ---------------------------------------------------------------- restarts


def test_after_a_restart_the_same_backup_is_made_again_with_its_own_time() -> None:
    site = running_site()
    site.run(5_000)
    site.restart()
    site.hear()
    site.settle()
    assert [command.number for command in made(site)] == [1, 1]
    site.run(8_000)
    assert stage(site) is BaselineStage.RUNNING
    site.run(3_000)
    assert stage(site) is BaselineStage.LATE
    assert contents(site.state) == contents(site.replayed())


def test_failovers_of_a_journal_without_baselines_get_one() -> None:
    site = small_site()
    site.fail_over("A")
    site.journal = [body for body in site.journal if b'"backup-' not in body]
    site.restart()
    site.run(2_000)
    assert site.entry.backup == "baseline-1"


def test_in_a_reconcile_nothing_is_backed_up_before_it_is_confirmed() -> None:
    site = running_site()
    site.restart(keep=len(site.journal), damage="The journal was restored from a backup.")
    assert commands(site.state) == ()
    assert due_ms(site.state, site.core.seen, site.now) is None
    assert review(site.state, site.core.seen, site.now) == ((), None)
    reply = site.ask(c.BackUp())
    assert isinstance(reply, c.Refused)
    assert "restore" in reply.sentence
    site.run(3_000)
    assert site.state.reconcile is None, "nothing differs"
    assert made(site)[-1].number == 1


# ---------------------------------------------------------------- by hand


def test_a_backup_by_hand_is_made_and_can_be_followed() -> None:
    site = small_site()
    site.backup_ends = False
    reply = site.ask(c.BackUp(recovery=KEY))
    assert isinstance(reply, c.Done)
    assert reply.backup == 1
    assert site.state.backups.manual is not None
    assert site.state.backups.manual.being_made
    assert made(site) == [MakeBackup(number=1, kind=BackupKind.MANUAL, recovery=KEY)]
    site.end_backup(made(site)[0])
    site.settle()
    assert site.state.backups.manual.file is not None
    site.end_backup(made(site)[0])
    site.settle()
    assert len(site.of(f.BackupMade)) == 1


def test_later_baselines_are_sealed_to_the_key_of_the_last_backup_by_hand() -> None:
    site = small_site()
    site.ask(c.BackUp(recovery=KEY))
    site.ask(c.BackUp())
    site.fail_over("A")
    assert [command.recovery for command in made(site)] == [KEY, KEY, KEY]


def test_a_backup_by_hand_that_fails_says_why() -> None:
    site = small_site()
    site.backup_fails = "The disk is full."
    site.ask(c.BackUp())
    assert site.state.backups.manual is not None
    assert site.state.backups.manual.sentence == "The disk is full."
    assert not site.state.backups.manual.being_made


@pytest.mark.parametrize("back", [False, True])
def test_it_is_refused_during_a_failover_and_a_failback(back: bool) -> None:
    site = small_site()
    if back:
        site.fail_over("A")
        site.server("A").answers = False
        site.fail_back()
    else:
        site.cache_answers = False
        site.ask(c.StartFailover(recorder=rid("A")))
    reply = site.ask(c.BackUp())
    assert isinstance(reply, c.Refused)
    assert reply.sentence.startswith("A failback is running" if back else "A failover is running")
    assert not [command for command in made(site) if command.kind is BackupKind.MANUAL]


def test_it_is_not_refused_because_an_entry_waits_for_a_server() -> None:
    site = small_site()
    for spare in ("F", "H"):
        site.server(spare).up = False
    site.run(5_000)
    site.server("A").up = False
    site.run(15_000)
    assert site.entry.phase is Phase.WAITING
    assert [alarm.key for alarm in queue_alarms(site.state)] == ["waiting F00001"]
    assert isinstance(site.ask(c.BackUp()), c.Done)


@pytest.mark.parametrize("late", [False, True])
def test_it_is_refused_while_the_baseline_is_being_made(late: bool) -> None:
    site = running_site()
    if late:
        site.run(BASELINE_MS + 100)
    reply = site.ask(c.BackUp())
    assert isinstance(reply, c.Refused)
    assert "automatic backup" in reply.sentence


def test_it_is_refused_while_another_is_being_made() -> None:
    site = small_site()
    site.backup_ends = False
    site.ask(c.BackUp())
    reply = site.ask(c.BackUp())
    assert isinstance(reply, c.Refused)
    assert "anna" in reply.sentence


def test_it_needs_the_right_to_change_settings() -> None:
    site = small_site()
    assert isinstance(site.ask(c.BackUp(), RoleName.OPERATOR), c.Refused)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"salt": b"x"}, "salt"),
        ({"public": b"x"}, "public"),
        ({"cost": 1 << 30}, "cost"),
        ({"cost": (1 << 14) + 1}, "cost"),
        ({"block": 0}, "block"),
        ({"lanes": 99}, "lanes"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(changes: dict[str, object], field: str) -> None:
    key = msgspec.structs.replace(KEY, **changes)
    assert field in (unfit_key(key) or "")
    reply = small_site().ask(c.BackUp(recovery=key))
    assert isinstance(reply, c.Refused)
    assert field in reply.sentence


def test_a_good_key_has_nothing_wrong() -> None:
    assert unfit_key(KEY) is None
