"""What the preview of a failback shows: checks, what was changed meanwhile, and the gaps to expect (SPEC 8, 14.2)."""

from __future__ import annotations

import msgspec

from sysmanager.coordinator.failback_preview import documents_to_compare
from sysmanager.coordinator.preview import answer, documents_for
from sysmanager.domain.camera import Camera
from sysmanager.domain.comparison import CHANGES_LIMIT, Contents
from sysmanager.domain.documents import CameraSettings, DocumentSet, MasksDocument, SchedulesDocument, SettingsDocument
from sysmanager.domain.ids import CameraId
from sysmanager.protocol import clients as c
from tests.helpers.coordination import Site, cameras_of, document_set, rid, small_site

CHANGED = document_set("changed", 2)


def contents(*cameras: str, retention_days: int = 14) -> Contents:
    held = tuple(CameraSettings(id=CameraId(camera), name=camera) for camera in cameras)
    settings = SettingsDocument(name="A", retention_days=retention_days, cameras=held)
    return Contents(settings=settings, masks=MasksDocument(), schedules=SchedulesDocument())


def ready_site(cameras: int | tuple[Camera, ...] = 3) -> Site:
    site = small_site(cameras=cameras)
    site.fail_over("A")
    site.run(3_000)
    return site


def changed_site() -> Site:
    """F acts for A by documents that were changed there."""
    site = ready_site()
    site.server("F").documents = CHANGED
    site.run(2_000)
    return site


def preview(site: Site, opened: dict[DocumentSet, Contents] | None = None) -> c.Preview:
    found = answer(site.state, site.core.seen, c.PreviewFailback(failover=site.entry.id), opened=opened)
    assert isinstance(found, c.Preview)
    return found


def warnings(shown: c.Preview) -> list[str]:
    return [check.sentence for check in shown.checks if check.level is c.Level.WARNING]


def test_nothing_was_changed() -> None:
    site = ready_site()
    assert documents_for(site.state, c.PreviewFailback(failover=site.entry.id)) == ()
    shown = preview(site)
    assert shown.allowed
    assert (shown.changes, warnings(shown)) == ((), [])


def test_what_was_changed_is_listed() -> None:
    site = changed_site()
    before, after = documents_for(site.state, c.PreviewFailback(failover=site.entry.id))
    assert (before, after) == (document_set("A"), CHANGED)
    shown = preview(site, {before: contents("gate", "ramp"), after: contents("gate", retention_days=30)})
    assert [change.sentence for change in shown.changes] == ["Recorder: retention 14 days → 30 days", "ramp: removed"]
    assert warnings(shown) == ["2 changes were made on F meanwhile; A gets the settings as they are now."]


def test_one_change_is_one() -> None:
    site = changed_site()
    before, after = documents_for(site.state, c.PreviewFailback(failover=site.entry.id))
    assert warnings(preview(site, {before: contents("gate"), after: contents()}))[0].startswith("1 change was made on F meanwhile;")


def test_so_many_changes_that_only_the_first_are_listed() -> None:
    site = changed_site()
    before, after = documents_for(site.state, c.PreviewFailback(failover=site.entry.id))
    many = contents(*(f"cam{number}" for number in range(CHANGES_LIMIT + 7)))
    shown = preview(site, {before: contents(), after: many})
    assert len(shown.changes) == CHANGES_LIMIT
    assert warnings(shown) == [
        "507 changes were made on F meanwhile; the first 500 are listed; A gets the settings as they are now.",
    ]


def test_the_same_in_other_files_is_no_change() -> None:
    site = changed_site()
    before, after = documents_for(site.state, c.PreviewFailback(failover=site.entry.id))
    assert warnings(preview(site, {before: contents("gate"), after: contents("gate")})) == []


def test_documents_that_cannot_be_read_are_said_so() -> None:
    site = changed_site()
    before, after = documents_for(site.state, c.PreviewFailback(failover=site.entry.id))
    sentence = "The settings may have been changed on F meanwhile; what exactly cannot be read from the cache."
    for opened in ({}, {before: contents()}, {after: contents()}):
        shown = preview(site, opened)
        assert shown.allowed
        assert (shown.changes, warnings(shown)) == ((), [sentence])


def test_a_recorder_whose_settings_were_never_cached() -> None:
    site = changed_site()
    site.state.recorders[rid("A")] = msgspec.structs.replace(site.row("A"), documents=None)
    assert documents_for(site.state, c.PreviewFailback(failover=site.entry.id)) == ()
    assert warnings(preview(site)) == ["The settings may have been changed on F meanwhile; what exactly cannot be read from the cache."]


def test_settings_that_were_changed_a_moment_ago_are_not_compared_yet() -> None:
    site = ready_site()
    site.fetch_works = False
    site.server("F").documents = CHANGED
    site.run(2_000)
    assert warnings(preview(site)) == ["The settings of F were changed a moment ago and are not in the cache yet; look again."]


def test_an_entry_without_servers_has_nothing_to_compare() -> None:
    site = ready_site()
    entry = site.entry
    assert documents_to_compare(site.state, None) == ()
    assert documents_to_compare(site.state, msgspec.structs.replace(entry, server=None)) == ()
    assert documents_for(site.state, c.WhoRecords(camera=CameraId("x"), at_wall_ms=1)) == ()
    del site.state.recorders[rid("F")]
    assert documents_to_compare(site.state, entry) == ()
    del site.state.recorders[rid("A")]
    shown = preview(site)
    assert not shown.allowed
    assert shown.changes == ()


# ---------------------------------------------------------------- gaps to expect


def test_cameras_with_one_session_have_a_gap_from_how_fast_they_were_in_the_failover() -> None:
    single = cameras_of("A", 2, sessions=1)
    site = ready_site(cameras=(*single, *cameras_of("A", 3)[2:]))
    shown = preview(site)
    assert shown.handed_over_singly == tuple(camera.id for camera in single)
    assert shown.expected_gaps == tuple(c.ExpectedGap(camera=camera.id, gap_ms=500 + 300) for camera in single)
    assert warnings(shown) == [
        "2 cameras allow one session only; they change hands one by one, and each is dark for about 0.8 s while it does."
    ]


def test_a_camera_that_was_not_measured_has_the_usual_gap_and_no_clock_makes_it_absurd() -> None:
    site = ready_site(cameras=cameras_of("A", 3, sessions=1))
    first, second, third = site.entry.gaps
    moved = {"first_after_ms": site.entry.timeline.saved_ms + 3_600_000}
    changed = ({"first_after_ms": 0}, moved, {"first_after_ms": 1})
    gaps = tuple(msgspec.structs.replace(gap, **more) for gap, more in zip((first, second, third), changed, strict=True))
    site.state.failovers[site.entry.id] = msgspec.structs.replace(site.entry, gaps=gaps)
    assert [gap.gap_ms for gap in preview(site).expected_gaps] == [1_500, 10_500, 500]
