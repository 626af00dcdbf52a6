"""Which footage goes: by age, for want of space, and what never goes (SPEC 16)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysmanager.domain.ids import CameraId, Epoch
from sysmanager.recorder.evidence import EvidenceLock
from sysmanager.recorder.janitor import Janitor, Swept, sweep
from sysmanager.recorder.retention import (
    CATCH_UP,
    DAY_MS,
    HOUR_MS,
    LENGTH_MS,
    Piece,
    RetentionRules,
    ageing_ms,
    expired,
    oldest_first,
    to_make_room,
)
from sysmanager.recorder.segments import SegmentName
from sysmanager.recorder.transfer.copied import CopiedHours
from tests.helpers.footage import Gauge

NOW_MS = 1_790_000_000_000
RULES = RetentionRules(days={"gate": 3, "yard": 30}, minimum_ms=DAY_MS, minimum_free_bytes=1_000)


def lock(camera: str, from_ms: int, until_ms: int) -> EvidenceLock:
    return EvidenceLock(id="1", camera=CameraId(camera), from_ms=from_ms, until_ms=until_ms, who="Ada", why="theft", locked_ms=NOW_MS)


def piece(camera: str, age_ms: int, size_bytes: int = 100, disk: Path = Path("disk")) -> Piece:
    name = SegmentName(camera=camera, recorder="REC-1", epoch=1, start_ms=NOW_MS - age_ms)
    return Piece(path=disk / name.relative, name=name, size_bytes=size_bytes)


def put(disk: Path, camera: str, age_ms: int, size_bytes: int = 100) -> Path:
    path = piece(camera, age_ms, disk=disk).path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size_bytes)
    (path.parent / "REC-1.idx").write_bytes(b"\n")
    return path


def ages(pieces: Iterator[Piece]) -> list[tuple[str, int]]:
    return [(each.name.camera, NOW_MS - each.name.start_ms) for each in pieces]


def test_each_camera_is_kept_by_its_own_days() -> None:
    four, forty = 4 * DAY_MS, 40 * DAY_MS
    pieces = [piece("gate", four), piece("yard", four), piece("yard", forty), piece("gate", 3 * DAY_MS)]
    assert ages(expired(pieces, RULES, (), NOW_MS)) == [("gate", four), ("yard", forty)]


def test_a_camera_of_no_known_settings_does_not_age() -> None:
    assert ages(expired([piece("other", 4_000 * DAY_MS)], RULES, (), NOW_MS)) == []


def test_a_piece_is_kept_until_its_last_frame_can_be_too_old() -> None:
    edge = 3 * DAY_MS + LENGTH_MS
    assert ages(expired([piece("gate", edge)], RULES, (), NOW_MS)) == []
    assert ages(expired([piece("gate", edge + 1)], RULES, (), NOW_MS)) == [("gate", edge + 1)]


def test_the_minimum_holds_where_the_days_of_a_camera_are_less() -> None:
    rules = RetentionRules(days={"gate": 1}, minimum_ms=5 * DAY_MS)
    assert ages(expired([piece("gate", 3 * DAY_MS)], rules, (), NOW_MS)) == []


@pytest.mark.parametrize(("camera", "from_age", "until_age", "held"), [("gate", 5, 3, True), ("yard", 5, 3, False), ("gate", 3, 2, False)])
def test_locked_footage_stays_also_where_space_is_short(camera: str, from_age: int, until_age: int, held: bool) -> None:
    locks = (lock(camera, NOW_MS - from_age * DAY_MS, NOW_MS - until_age * DAY_MS),)
    pieces = [piece("gate", 4 * DAY_MS)]
    assert bool(list(expired(pieces, RULES, locks, NOW_MS))) is not held
    assert bool(list(to_make_room(pieces, 50, RULES, locks, NOW_MS))) is not held


def test_room_is_made_with_the_oldest_and_no_more_than_is_wanted() -> None:
    pieces = [piece("gate", age * HOUR_MS) for age in (90, 80, 70, 60)]
    assert ages(to_make_room(pieces, 150, RULES, (), NOW_MS)) == [("gate", 90 * HOUR_MS), ("gate", 80 * HOUR_MS)]
    assert ages(to_make_room(pieces, 0, RULES, (), NOW_MS)) == []


def test_room_is_not_made_with_what_is_younger_than_the_minimum() -> None:
    pieces = [piece("gate", 25 * HOUR_MS), piece("gate", 24 * HOUR_MS), piece("gate", HOUR_MS)]
    assert ages(to_make_room(pieces, 1_000, RULES, (), NOW_MS)) == [("gate", 25 * HOUR_MS)]


def test_a_clock_that_is_set_ahead_ages_footage_by_a_bounded_part_only() -> None:
    assert ageing_ms(0, NOW_MS, 0) == NOW_MS
    assert ageing_ms(NOW_MS, NOW_MS + 600_000, 600_000) == NOW_MS + 600_000
    assert ageing_ms(NOW_MS, NOW_MS + 365 * DAY_MS, HOUR_MS) == NOW_MS + CATCH_UP * HOUR_MS
    assert ageing_ms(NOW_MS, NOW_MS - DAY_MS, HOUR_MS) == NOW_MS - DAY_MS


PIECES = st.lists(st.tuples(st.sampled_from(("gate", "yard", "other")), st.integers(0, 60 * 24), st.integers(1, 500)), max_size=30)
LOCKS = st.lists(st.tuples(st.sampled_from(("gate", "yard")), st.integers(0, 60 * 24), st.integers(0, 200)), max_size=4)


@given(PIECES, LOCKS, st.integers(0, 10_000))
def test_nothing_young_and_nothing_locked_ever_goes(
    drawn: Sequence[tuple[str, int, int]], held: Sequence[tuple[str, int, int]], wanted: int
) -> None:
    pieces = sorted((piece(camera, hours * HOUR_MS, size) for camera, hours, size in drawn), key=lambda each: each.name.start_ms)
    locks = [lock(camera, NOW_MS - (age + length) * HOUR_MS, NOW_MS - age * HOUR_MS) for camera, age, length in held]
    room = list(to_make_room(pieces, wanted, RULES, locks, NOW_MS))
    gone = [*room, *expired(pieces, RULES, locks, NOW_MS)]
    for each in gone:
        assert each.name.start_ms < NOW_MS - DAY_MS
        assert not any(held_by.covers(each.name.camera, each.name.start_ms, each.name.start_ms) for held_by in locks)
    assert sum(each.size_bytes for each in room[:-1]) < max(1, wanted)


# ---------------------------------------------------------------- on a disk


def test_a_disk_is_read_day_by_day_and_strangers_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, "yard", 2 * DAY_MS)
    put(tmp_path, "gate", 5 * DAY_MS)
    put(tmp_path, "gate", HOUR_MS)
    (tmp_path / "gate" / "notes").mkdir()
    (tmp_path / "gate" / "notes" / "holiday.ts").write_bytes(b"not ours")
    (tmp_path / "readme.txt").write_bytes(b"not ours")
    assert ages(oldest_first(tmp_path)) == [("gate", 5 * DAY_MS), ("yard", 2 * DAY_MS), ("gate", HOUR_MS)]


def test_a_sweep_deletes_by_age_then_for_space_and_takes_empty_days_with_it(tmp_path: Path) -> None:
    old = put(tmp_path, "gate", 5 * DAY_MS)
    next_to_go = put(tmp_path, "yard", 4 * DAY_MS, 600)
    stays = put(tmp_path, "yard", 3 * DAY_MS, 600)
    free = iter([500])
    swept = sweep(tmp_path, RULES, (), NOW_MS, free_bytes=lambda _: next(free), ageing_ms=NOW_MS)
    assert swept == Swept(pieces=2, bytes=700, youngest_start_ms=NOW_MS - 4 * DAY_MS)
    assert not old.parent.exists()
    assert not (tmp_path / "gate").exists()
    assert not next_to_go.parent.exists()
    assert stays.exists()
    assert (stays.parent / "REC-1.idx").exists()


def test_a_sweep_for_space_alone_leaves_what_is_too_old_for_the_next_look(tmp_path: Path) -> None:
    old = put(tmp_path, "gate", 5 * DAY_MS)
    assert sweep(tmp_path, RULES, (), NOW_MS, free_bytes=lambda _: 2_000) == Swept()
    assert old.exists()


def test_a_piece_that_somebody_reads_keeps_no_other_from_going(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows removes no file that is open, as while it is copied or played."""
    read, free = put(tmp_path, "gate", 6 * DAY_MS), put(tmp_path, "gate", 5 * DAY_MS)
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path == read:
            raise PermissionError(13, "The process cannot access the file because it is being used by another process", str(path))
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert sweep(tmp_path, RULES, (), NOW_MS, free_bytes=lambda _: 2_000, ageing_ms=NOW_MS).pieces == 1
    assert not free.exists()
    with pytest.raises(PermissionError):
        sweep(tmp_path, RULES, (), NOW_MS, free_bytes=lambda _: 2_000, ageing_ms=NOW_MS)


def test_a_quota_holds_however_much_is_free(tmp_path: Path) -> None:
    first, second = put(tmp_path, "gate", 50 * HOUR_MS, 600), put(tmp_path, "gate", 40 * HOUR_MS, 600)
    rules = RetentionRules(minimum_ms=HOUR_MS, minimum_free_bytes=0, quota_bytes=1_000)
    assert sweep(tmp_path, rules, (), NOW_MS, free_bytes=lambda _: 10**12).pieces == 1
    assert not first.exists()
    assert second.exists()


def test_what_cannot_be_freed_is_told(tmp_path: Path) -> None:
    young = put(tmp_path, "gate", HOUR_MS, 600)
    assert sweep(tmp_path, RULES, (), NOW_MS, free_bytes=lambda _: 300).missing_bytes == 700
    assert young.exists()


def test_what_has_a_verified_copy_at_home_goes_first_also_if_it_is_young(tmp_path: Path) -> None:
    old, copied = put(tmp_path, "gate", 60 * HOUR_MS, 600), put(tmp_path, "yard", HOUR_MS, 600)
    swept = sweep(tmp_path, RULES, (), NOW_MS, free_bytes=lambda _: 500, copied=lambda piece: piece.name.camera == "yard")
    assert (swept.pieces, swept.bytes) == (1, 600)
    assert old.exists()
    assert not copied.exists()
    assert sweep(tmp_path, RULES, (), NOW_MS, free_bytes=lambda _: 500, copied=lambda _: False).pieces == 1
    assert not old.exists()


def test_hours_with_a_copy_are_remembered_over_a_restart(tmp_path: Path) -> None:
    hours = CopiedHours(tmp_path)
    assert not hours.any
    hours.add(CameraId("gate"), Epoch(2), (100, 101))
    hours.add(CameraId("gate"), Epoch(2), (101, 102))
    again = CopiedHours(tmp_path)
    assert again.any
    assert again.has("gate", 2, 102 * HOUR_MS + 5)
    assert not again.has("gate", 3, 102 * HOUR_MS)
    assert not again.has("gate", 2, 103 * HOUR_MS)
    (tmp_path / "copied.json").write_bytes(b"{")
    assert not CopiedHours(tmp_path).any


class Said:
    """What the janitor's log says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gauge = Gauge()
        monkeypatch.setattr("sysmanager.recorder.janitor.log", self)

    def warning(self, _: str, *, why: str, disk: str = "") -> None:
        self.gauge.notice(why)

    def info(self, *_: object, **__: object) -> None:
        self.gauge.notice("swept")

    def wait(self, part: str) -> None:
        self.gauge.wait(lambda: any(part in str(sentence) for sentence in self.gauge.seen))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    return Said(monkeypatch)


def janitor(tmp_path: Path, *, free_bytes: int = 10**12, rules: RetentionRules = RULES) -> Janitor:
    return Janitor(
        (tmp_path / "disk",), tmp_path, rules, wall_ms=lambda: NOW_MS, mono_ms=lambda: 0, free_bytes=lambda _: free_bytes, look_s=0.01
    )


def test_a_janitor_keeps_the_days_of_cameras_over_a_restart(tmp_path: Path, said: Said) -> None:
    first = janitor(tmp_path)
    first.keep_days({"gate": 3})
    first.keep_days({"yard": 30})
    assert janitor(tmp_path).rules.days == {"gate": 3, "yard": 30}
    old, kept = put(tmp_path / "disk", "gate", 5 * DAY_MS), put(tmp_path / "disk", "yard", 5 * DAY_MS)
    again = janitor(tmp_path)
    again.start()
    said.wait("swept")
    again.stop()
    assert not old.exists()
    assert kept.exists()


@pytest.mark.parametrize("content", [b"", b"[1]", b'{"days": {"gate": "three"}}'])
def test_a_damaged_file_of_days_deletes_nothing_by_age(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "retention.json").write_bytes(content)
    assert janitor(tmp_path).rules.days == {}


def test_locks_that_cannot_be_read_hold_everything_and_are_said_once(tmp_path: Path, said: Said) -> None:
    (tmp_path / "evidence.json").write_bytes(b"{")
    old = put(tmp_path / "disk", "gate", 50 * DAY_MS)
    keeper = janitor(tmp_path, free_bytes=0)
    keeper.keep_days({"gate": 3})
    keeper.start()
    said.wait("Until then nothing is deleted")
    (tmp_path / "evidence.json").unlink()
    said.wait("swept")
    keeper.stop()
    assert not old.exists()
    assert len([sentence for sentence in said.gauge.seen if "evidence locks" in str(sentence)]) == 1


def test_a_disk_that_is_short_of_space_and_has_nothing_old_is_said(tmp_path: Path, said: Said) -> None:
    put(tmp_path / "disk", "gate", HOUR_MS)
    keeper = janitor(tmp_path, free_bytes=0)
    keeper.start()
    said.wait("younger than 24 h or locked as evidence")
    keeper.stop()


def test_a_disk_that_is_gone_is_said_and_tried_again(tmp_path: Path, said: Said) -> None:
    keeper = janitor(tmp_path, free_bytes=0)
    (tmp_path / "disk").write_bytes(b"a file, not a folder")
    keeper.start()
    said.wait("can't be deleted")
    (tmp_path / "disk").unlink()
    put(tmp_path / "disk", "gate", 50 * DAY_MS)
    said.wait("swept")
    keeper.stop()
