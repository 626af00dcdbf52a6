"""Previews are the decisions that would be taken (SPEC 14.2), and who held a camera when (SPEC 17)."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator.preview import answer
from sysmanager.domain.camera import Camera, FailoverPriority, RecordingMode
from sysmanager.domain.failover import Phase
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId
from sysmanager.protocol import clients as c
from tests.helpers.coordination import GROUP, WALL_MS, Site, analogue, cameras_of, contents, document_set, rid, small_site


def ask(site: Site, question: c.Question) -> c.Answer:
    before = contents(site.state)
    found = answer(site.state, site.core.seen, question)
    assert contents(site.state) == before, "a question changes nothing"
    return found


def failover_preview(site: Site, server: str) -> c.Preview:
    found = ask(site, c.PreviewFailover(recorder=rid(server)))
    assert isinstance(found, c.Preview)
    return found


def failback_preview(site: Site) -> c.Preview:
    found = ask(site, c.PreviewFailback(failover=site.entry.id))
    assert isinstance(found, c.Preview)
    return found


def lines(preview: c.Preview, level: c.Level) -> list[str]:
    return [check.sentence for check in preview.checks if check.level is level]


# ---------------------------------------------------------------- previews


def test_a_preview_of_a_failover_is_what_then_happens() -> None:
    site = small_site(cameras=(*cameras_of("A", 3), analogue("A")), plugins_wanted=("plates",))
    preview = failover_preview(site, "A")
    entry = site.fail_over("A")
    assert preview.allowed
    assert (preview.target, preview.verdicts, preview.moves) == (entry.server, entry.verdicts, entry.moved)
    assert (preview.stays, preview.to_do) == (entry.not_moved, entry.to_do)
    assert lines(preview, c.Level.GOOD) == [
        "A records, and failover is on for A.",
        "2 failover servers of the group Gate connected.",
        "The settings of A are in the cache.",
        "F would take 3 cameras.",
    ]
    assert [(one.camera, one.sentence) for one in preview.moving] == [(camera, "medium priority") for camera in entry.moved]
    assert lines(preview, c.Level.WARNING) == ["A is well and records; it would be told to stop once F records.", *entry.to_do]


def test_a_preview_tells_of_each_camera_what_moving_is_like() -> None:
    off = Camera(id=CameraId("off"), name="off", mode=RecordingMode.OFF, priority=FailoverPriority.LOW, sessions=2)
    site = Site(group=Group(id=GROUP, name="Gate", preroll=FailoverPriority.MEDIUM))
    site.add("A", cameras=(*cameras_of("A", 2, vca=True), off))
    site.add("F", failover=True, vca_channels=1, preroll_memory_mb=100, preroll_limit_s=60)
    site.run(30_000)
    preview = failover_preview(site, "A")
    assert [one.sentence for one in preview.moving] == [
        "medium priority, with 17 s of pre-roll",
        "medium priority, with 17 s of pre-roll, without video content analysis",
        "low priority, not recorded by its settings",
    ]
    assert lines(preview, c.Level.GOOD)[1] == "1 failover server of the group Gate connected."
    site.fetch_works = False
    site.add("B")
    site.run(2_000)
    assert "The settings of B are in the cache." not in lines(failover_preview(site, "B"), c.Level.GOOD)


@pytest.mark.parametrize("server", ["A", "B", "F", "H"])
@pytest.mark.parametrize("spoiled", ["nothing", "no failover server", "running", "replaced", "held", "not cached"])
def test_a_preview_allows_exactly_what_the_request_then_does(server: str, spoiled: str) -> None:
    site = small_site()
    match spoiled:
        case "no failover server":
            site.server("F").up = site.server("H").up = False
            site.run(4_000)
        case "running":
            site.cache_answers = False
            site.ask(c.StartFailover(recorder=rid("B")))
        case "replaced":
            site.fail_over("A")
        case "held":
            site.ask(c.HoldFailover(recorder=rid("A")))
        case "not cached":
            site.state.recorders[rid("A")] = msgspec.structs.replace(site.row("A"), documents=None)
    preview = failover_preview(site, server)
    stops = lines(preview, c.Level.STOP)
    reply = site.ask(c.StartFailover(recorder=rid(server)))
    assert preview.allowed is isinstance(reply, c.Done)
    if isinstance(reply, c.Refused):
        assert stops[0] == reply.sentence


def test_a_preview_warns_when_it_would_wait() -> None:
    site = small_site()
    site.server("F").disks = site.server("H").disks = {"E:": True}
    site.run(1_000)
    assert "No failover server of the group fits now; it would wait for one." in lines(failover_preview(site, "A"), c.Level.WARNING)
    site = small_site()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    assert "F00001 is running in the group; this one would wait for it." in lines(failover_preview(site, "B"), c.Level.WARNING)


def test_a_preview_of_a_silent_recorder_does_not_say_that_it_would_be_told_to_stop() -> None:
    site = small_site()
    site.server("A").up = False
    site.run(4_000)
    assert not any("told to stop" in line for line in lines(failover_preview(site, "A"), c.Level.WARNING))


def test_a_preview_without_cached_settings_says_that_it_would_wait_for_them() -> None:
    site = small_site()
    site.state.recorders[rid("A")] = msgspec.structs.replace(site.row("A"), documents=None)
    assert any("not in the cache yet" in line for line in lines(failover_preview(site, "A"), c.Level.WARNING))


def test_a_preview_of_a_failback_shows_single_sessions_and_changed_settings() -> None:
    site = small_site(cameras=(*cameras_of("A", 1, sessions=1), *cameras_of("A", 3)[1:]))
    site.fail_over("A")
    site.server("F").documents = document_set("changed", 2)
    site.run(3_000)
    preview = failback_preview(site)
    assert preview.allowed
    assert (preview.target, preview.moves) == ("A", ("A-c0", "A-c1", "A-c2"))
    assert preview.handed_over_singly == ("A-c0",)
    assert lines(preview, c.Level.WARNING) == [
        "1 camera allows one session only; it is dark for about 0.8 s while it changes hands.",
        "The settings may have been changed on F meanwhile; what exactly cannot be read from the cache.",
    ]
    assert isinstance(site.fail_back(), c.Done)


def test_a_preview_of_a_failback_that_may_not_start() -> None:
    site = small_site()
    site.fail_over("A")
    site.server("A").up = False
    site.run(4_000)
    preview = failback_preview(site)
    assert not preview.allowed
    reply = site.fail_back()
    assert isinstance(reply, c.Refused)
    assert lines(preview, c.Level.STOP)[0] == reply.sentence


def test_a_preview_of_an_entry_that_never_had_a_server() -> None:
    site = small_site()
    site.server("F").disks = site.server("H").disks = {"E:": True}
    site.run(1_000)
    site.ask(c.StartFailover(recorder=rid("A")))
    assert site.entry.phase is Phase.WAITING
    preview = failback_preview(site)
    assert (preview.allowed, preview.moves, preview.handed_over_singly) == (False, (), ())


def test_questions_about_what_is_not_there() -> None:
    site = small_site()
    assert ask(site, c.PreviewFailover(recorder=rid("Z"))) == c.Refused(sentence="There is no server Z; see the list of servers.")
    assert ask(site, c.PreviewFailback(failover="F9")) == c.Refused(
        sentence="There is no entry F9 in the failover log; see the list of entries."
    )


# ---------------------------------------------------------------- who records


def holders(site: Site, camera: str, mono_ms: int) -> list[str]:
    found = ask(site, c.WhoRecords(camera=camera, at_wall_ms=WALL_MS + mono_ms))
    assert isinstance(found, c.Holders)
    return [holder.recorder for holder in found.holders]


def test_who_records_across_failovers_and_failback() -> None:
    site = Site()
    site.add("F", failover=True)  # before its home, so that no order of rows tells who is who
    site.add("H", failover=True)
    site.add("A", cameras=(*cameras_of("A", 2), analogue("A")))
    site.run(5_000)
    site.fail_over("A")
    first_ms = 5_000
    site.server("A").up = False
    site.run(4_000)
    site.server("F").up = False
    site.run(12_000)
    second_ms = next(at_ms for at_ms, fact in reversed(site.times) if type(fact).__name__ == "TasksMoved")
    site.server("A").up = site.server("F").up = True
    site.run(4_000)
    site.server("A").first_frame_ms = 1_500
    back_ms = site.mono_ms
    site.fail_back()
    site.run(5_000)
    assert site.entry.phase is Phase.RETURNED
    assert holders(site, "A-c0", first_ms - 1) == ["A"]
    assert holders(site, "A-c0", first_ms) == ["F"]
    assert holders(site, "A-c0", second_ms - 1) == ["F"]
    assert holders(site, "A-c0", second_ms) == ["H"]
    assert holders(site, "A-c0", back_ms + 500) == ["H", "A"], "both hold the seam"
    assert holders(site, "A-c0", site.mono_ms) == ["A"]
    assert holders(site, "A-c90", first_ms - 1) == ["A"]
    assert holders(site, "A-c90", second_ms + 1) == [], "an analogue camera has nobody until the failback"
    assert holders(site, "A-c90", site.mono_ms) == ["A"]


def test_a_camera_that_stays_behind_has_nobody() -> None:
    site = small_site(cameras=(*cameras_of("A", 1), analogue("A")))
    site.fail_over("A")
    assert holders(site, "A-c90", site.mono_ms) == []
    assert holders(site, "A-c0", site.mono_ms) == ["F"]


def test_a_camera_that_nobody_knows_has_no_holder() -> None:
    assert holders(small_site(), "nobody", 0) == []
