"""Alarms about footage that is not home yet (SPEC 9): a copy that rests for long, and footage that is about to be deleted uncopied."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.domain.instant import Instant
from sysmanager.domain.jobs import HOUR_MS
from sysmanager.engine.copy_alarms import DAY_MS, copy_alarms
from sysmanager.engine.rows import system_row
from sysmanager.protocol import clients as c
from tests.helpers.coordination import Site, contents, rid
from tests.helpers.copies import J1, held, job, returned, started


def later(site: Site, span_ms: int) -> Instant:
    """The wall clock goes on; nothing else happens."""
    return msgspec.structs.replace(site.now, wall_ms=site.now.wall_ms + span_ms)


def alarms(site: Site, span_ms: int) -> list[str]:
    return [alarm.sentence for alarm in copy_alarms(site.state, site.core.seen, later(site, span_ms))]


def test_a_copy_that_a_person_paused_is_no_alarm_at_once_and_one_after_an_hour() -> None:
    site = held()
    site.ask(c.PauseJob(job=J1))
    assert job(site).paused_ms == site.now.wall_ms
    assert alarms(site, HOUR_MS - 1) == []
    sentence = "The material copy J00001 was paused by hand, and the footage of A in F00001 is still on F. Let it go on, or cancel it."
    assert alarms(site, HOUR_MS) == [sentence]
    row = system_row(site.state, site.core.seen, later(site, HOUR_MS), site="S", practice=False, lag_ms=0, ready={})
    assert sentence in [alarm.sentence for alarm in row.alarms]
    assert contents(site.state) == contents(site.replayed())
    site.ask(c.ResumeJob(job=J1))
    assert alarms(site, HOUR_MS) == []


def test_a_copy_that_does_not_move_for_a_day_is_named_with_what_it_waits_for() -> None:
    site = held()
    site.server("A").jobs.copy = msgspec.structs.replace(site.server("A").jobs.copy, rate_kbps=0)
    site.server("F").up = False
    site.run(5_000)
    assert alarms(site, DAY_MS - 10_000) == []
    (sentence,) = alarms(site, DAY_MS)
    assert sentence.startswith("The material copy J00001 began more than a day ago, and the footage of A in F00001 is still on F.")
    assert sentence.endswith("Waits until F is connected.")


def test_one_that_moves_is_let_alone() -> None:
    site = held()
    site.server("A").jobs.copy = msgspec.structs.replace(site.server("A").jobs.copy, rate_kbps=9_000)
    site.run(1_500)
    assert alarms(site, DAY_MS) == []


@pytest.mark.parametrize(
    ("days", "words", "health"),
    [
        (11.9, None, None),
        (12.1, "begins to delete it in 46 h", c.Health.WARNING),
        (12.0, "begins to delete it in 2 days", c.Health.WARNING),
        (13.99, "begins to delete it in 1 h", c.Health.WARNING),
        (14.0, "deletes it now, the oldest first", c.Health.BAD),
        (15.0, None, None),
    ],
)
def test_footage_that_ages_away_uncopied_is_named_before(days: float, words: str | None, health: c.Health | None) -> None:
    site = returned()
    (away,) = site.state.away[rid("A")]
    assert away.since_ms
    assert away.until_ms > away.since_ms
    now = msgspec.structs.replace(site.now, wall_ms=away.since_ms + int(days * DAY_MS))
    found = copy_alarms(site.state, site.core.seen, now)
    if words is None:
        assert found == []
        return
    (alarm,) = found
    assert alarm.sentence == (
        f"Footage of A in F00001 has no copy at home. F {words}, because A keeps footage for 14 days. Start the material copy of F00001."
    )
    assert alarm.health is health


def test_while_a_copy_rests_it_is_the_one_to_let_go_on_and_its_oldest_hour_counts() -> None:
    site = held()
    site.ask(c.PauseJob(job=J1))
    oldest_ms = min(hour.first_ms for camera in job(site).cameras for hour in camera.open_hours)
    (away,) = site.state.away[rid("A")]
    site.state.away[rid("A")] = (msgspec.structs.replace(away, until_ms=oldest_ms + 20 * DAY_MS),)
    now = msgspec.structs.replace(site.now, wall_ms=oldest_ms + 13 * DAY_MS)
    found = {alarm.key: alarm.sentence for alarm in copy_alarms(site.state, site.core.seen, now)}
    sentence = found["expiring F00001 F"]
    assert "begins to delete it in 24 h" in sentence
    assert sentence.endswith("Let the material copy J00001 go on.")


def test_what_is_home_is_no_alarm_and_what_nobody_knows_the_age_of_neither() -> None:
    site = started(returned())
    site.run(15_000)
    assert site.state.away == {}
    assert alarms(site, 13 * DAY_MS) == []
    site = returned()
    (away,) = site.state.away[rid("A")]
    site.state.away[rid("A")] = (msgspec.structs.replace(away, since_ms=0),)
    assert alarms(site, 13 * DAY_MS) == []
    site = returned()
    del site.state.recorders[rid("A")]
    assert alarms(site, 13 * DAY_MS) == []


def test_short_retention_is_warned_of_at_its_half_and_servers_that_are_gone_by_their_id() -> None:
    site = returned()
    row = site.row("A")
    site.state.recorders[rid("A")] = msgspec.structs.replace(row, settings=msgspec.structs.replace(row.settings, retention_days=1))
    del site.state.recorders[rid("F")]
    (away,) = site.state.away[rid("A")]
    now = msgspec.structs.replace(site.now, wall_ms=away.since_ms + 13 * HOUR_MS)
    (alarm,) = copy_alarms(site.state, site.core.seen, now)
    assert "F begins to delete it in 11 h, because A keeps footage for 1 day." in alarm.sentence
