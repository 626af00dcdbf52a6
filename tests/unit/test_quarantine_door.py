"""The door before every stream: who must stay outside, who waits for a turn, and what is noted while a stream is opened (SPEC 16)."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.case_file import FILE_NAME, ask_release, load_cases, save_cases, take_releases
from sysmanager.recorder.door import ALONE_AGAIN_S, ALONE_LIMIT_S, ALONE_S, PROVED_S, QuarantineDoor, Visit
from sysmanager.recorder.quarantine import Case
from sysmanager.recorder.reconnect import Problem
from sysmanager.recorder.session import CameraPlan
from sysmanager.recorder.suspects import SLOTS, Notes, forget_notes, read_notes


def plan(camera: str, *, mark: str = "m", priority: int = 0) -> CameraPlan:
    return CameraPlan(id=CameraId(camera), name=camera.capitalize(), url=f"rtsp://192.0.2.1/{camera}", priority=priority, mark=mark)


class Place:
    """A door whose clock a test sets, and who went through it."""

    def __init__(self, folder: Path, *cases: Case) -> None:
        self.folder = folder
        if cases:
            save_cases(folder, cases)
        self.now_s = 100.0
        self.door = QuarantineDoor(folder, clock=lambda: self.now_s)
        self.over = threading.Event()

    def enter(self, camera: str, *, mark: str = "m") -> Visit:
        visit = self.door.enter(plan(camera, mark=mark), self.over)
        assert visit is not None
        assert not isinstance(visit, Problem)
        return visit

    def in_background(self, camera: str) -> tuple[threading.Thread, list[Visit | Problem | None]]:
        got: list[Visit | Problem | None] = []
        thread = threading.Thread(target=lambda: got.append(self.door.enter(plan(camera), self.over)))
        thread.start()
        return thread, got

    def under_way(self) -> list[str]:
        return sorted(note.suspect.camera for note in read_notes(self.folder))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def case(camera: str, *, crashes: int = 1, terms: int = 0, left_ms: int = 0) -> Case:
    return Case(camera=CameraId(camera), mark="m", crashes=crashes, terms=terms, left_ms=left_ms)


def test_what_is_opened_is_noted_until_it_has_run_well(place: Place) -> None:
    visits = [place.enter(camera) for camera in ("a", "b", "c")]
    assert place.under_way() == ["a", "b", "c"]
    assert {note.thread for note in read_notes(place.folder)} == {threading.get_ident()}
    for visit in visits[:2]:
        visit.frame()
    place.now_s += PROVED_S - 0.1
    visits[0].frame()
    assert place.under_way() == ["a", "b", "c"]
    place.now_s += 0.1
    visits[0].frame()
    assert place.under_way() == ["b", "c"]
    visits[2].leave()
    assert place.under_way() == ["b"]
    place.enter("a")
    assert place.under_way() == ["a", "b"], "every opening is one"


def test_a_camera_in_quarantine_stays_outside_and_says_why(tmp_path: Path) -> None:
    place = Place(tmp_path, case("a", crashes=2, terms=1, left_ms=5_000))
    answer = place.door.enter(plan("a"), place.over)
    assert isinstance(answer, Problem)
    assert answer.state is CameraState.QUARANTINED
    assert "A is quarantined" in answer.sentence
    assert place.under_way() == []
    place.enter("b")
    place.door.pass_time(5.0)
    place.enter("a")


def test_other_settings_lead_out_of_quarantine(tmp_path: Path) -> None:
    place = Place(tmp_path, case("a", crashes=2, terms=1, left_ms=5_000))
    place.enter("a", mark="other")
    assert place.door.cases == ()
    place.door.save()
    assert load_cases(tmp_path) == ()


def test_a_suspect_goes_in_alone_and_the_next_when_it_runs_well(tmp_path: Path) -> None:
    place = Place(tmp_path, case("a"), case("b"))
    first = place.enter("a")
    thread, got = place.in_background("b")
    innocent = place.enter("c")
    assert place.under_way() == ["a", "c"], "who is not suspected waits for nobody"
    first.frame()
    place.now_s += ALONE_S - 0.01
    first.frame()
    thread.join(0.3)
    assert not got
    place.now_s += 0.01
    first.frame()
    thread.join(5)
    assert len(got) == 1
    assert not isinstance(got[0], Problem)
    assert place.under_way() == ["a", "b", "c"]
    assert {note.suspect.camera for note in read_notes(tmp_path) if note.running} == {"a"}
    assert first.proved is False, "its frames stay with the thread that is noted"
    place.now_s += PROVED_S
    first.frame()
    assert place.under_way() == ["b", "c"]
    innocent.leave()


def test_many_suspects_of_one_crash_go_in_by_groups_and_who_must_be_alone_comes_last(tmp_path: Path) -> None:
    place = Place(tmp_path, *(case(f"cam-{number:02}") for number in range(32)), case("bad", crashes=2))
    waiting = [place.in_background(f"cam-{number:02}") for number in range(8)]
    bad, bad_got = place.in_background("bad")
    for _ in range(100):
        if sum(1 for _, got in waiting if got) >= 6:
            break
        waiting[-1][0].join(0.05)
    inside = [got[0] for _, got in waiting if got]
    assert len(inside) == 6, "a sixth of them"
    for visit in inside:
        assert visit is not None
        assert not isinstance(visit, Problem)
        visit.leave()
    for thread, _ in waiting:
        thread.join(5)
    assert not bad_got, "somebody else is inside"
    for _, got in waiting:
        assert got[0] is not None
        assert not isinstance(got[0], Problem)
        got[0].leave()
    bad.join(5)
    assert bad_got
    late, late_got = place.in_background("cam-00")
    late.join(0.3)
    assert not late_got, "it is alone"
    place.over.set()
    late.join(5)


@pytest.mark.parametrize("how", ["it left", "it took too long", "nobody wants it any more"])
def test_nobody_waits_for_ever_for_a_turn(tmp_path: Path, how: str) -> None:
    place = Place(tmp_path, case("a"), case("b"))
    first = place.enter("a")
    thread, got = place.in_background("b")
    if how == "it left":
        first.leave()
    elif how == "it took too long":
        place.now_s += ALONE_S + ALONE_LIMIT_S
    else:
        place.over.set()
    thread.join(5)
    assert len(got) == 1
    assert (got[0] is None) is (how == "nobody wants it any more")


def test_after_a_second_crash_a_suspect_is_alone_for_longer(tmp_path: Path) -> None:
    place = Place(tmp_path, case("a", crashes=2), case("b"))
    visit = place.enter("a")
    visit.frame()
    thread, got = place.in_background("b")
    place.now_s += ALONE_AGAIN_S - 0.1
    visit.frame()
    thread.join(0.3)
    assert not got
    place.now_s += 0.1
    visit.frame()
    thread.join(5)
    assert len(got) == 1


def test_a_camera_that_was_tried_often_lets_the_others_go_first(tmp_path: Path) -> None:
    place = Place(tmp_path, case("a"), case("b"), case("z"))
    for _ in range(3):
        place.enter("a").leave()
    inside = place.enter("z")
    late, late_got = place.in_background("a")
    late.join(0.15)
    early, early_got = place.in_background("b")
    early.join(0.15)
    inside.leave()
    early.join(5)
    assert early_got
    assert not late_got
    place.over.set()
    late.join(5)


def test_a_suspect_that_runs_well_is_cleared_and_one_that_does_not_is_not(tmp_path: Path) -> None:
    place = Place(tmp_path, case("a"), case("b"))
    visit = place.enter("a")
    visit.frame()
    place.now_s += ALONE_S
    visit.frame()
    place.door.pass_time(601.0)
    assert len(place.door.cases) == 2
    place.now_s += PROVED_S
    visit.frame()
    place.door.pass_time(601.0)
    assert [left.camera for left in place.door.cases] == ["b"]


def test_a_person_releases_a_camera_while_the_service_runs_and_while_it_does_not(tmp_path: Path) -> None:
    place = Place(tmp_path, case("a", crashes=2, terms=1, left_ms=5_000), case("b", crashes=2, terms=1, left_ms=5_000))
    request = ask_release(tmp_path, CameraId("a"))
    place.door.pass_time(1.0)
    assert not request.exists()
    assert [left.camera for left in place.door.cases] == ["b"]
    place.enter("a")
    assert place.door.release(CameraId("b"))
    assert not place.door.release(CameraId("b"))
    place.door.save()
    assert load_cases(tmp_path) == ()


def test_pictures_of_a_suspect_are_decoded_when_its_stream_has_run_well(tmp_path: Path) -> None:
    place = Place(tmp_path, case("a"))
    answer = place.door.decode(plan("a"))
    assert isinstance(answer, Problem)
    assert answer.sentence.startswith("Pictures of A are not decoded yet: its stream was being opened when the recording service crashed.")
    stream = place.enter("a")
    stream.frame()
    place.now_s += PROVED_S - 0.1
    stream.frame()
    assert isinstance(place.door.decode(plan("a")), Problem)
    place.now_s += 0.1
    stream.frame()
    picture = place.door.decode(plan("a"))
    assert not isinstance(picture, Problem)
    assert [note.suspect.decoding for note in read_notes(tmp_path)] == [True]
    picture.leave()
    stream.leave()
    assert isinstance(place.door.decode(plan("a")), Problem), "it is to be opened anew first"
    visit = place.door.decode(plan("b"))
    assert not isinstance(visit, Problem)
    assert place.under_way() == ["b"]
    visit.leave()
    assert place.under_way() == []


def test_after_a_crash_at_a_picture_the_camera_is_recorded_at_once_and_its_pictures_wait(tmp_path: Path) -> None:
    blind = Case(camera=CameraId("a"), mark="m", crashes=0, decodings=1, blind_ms=600_000)
    place = Place(tmp_path, blind, case("b"), case("c"))
    place.enter("b")
    stream = place.enter("a")
    stream.frame()
    place.now_s += PROVED_S
    stream.frame()
    answer = place.door.decode(plan("a"))
    assert isinstance(answer, Problem)
    assert answer.sentence.startswith("Pictures of A are not decoded for 10 min: the recording service crashed while it decoded one.")
    assert "'sysmanager recorder release a'" in answer.sentence
    place.door.pass_time(600.0)
    picture = place.door.decode(plan("a"))
    assert not isinstance(picture, Problem)
    assert place.door.release(CameraId("a"))


def test_its_clock_runs_by_itself(tmp_path: Path) -> None:
    place = Place(tmp_path, case("a"))
    ask_release(tmp_path, CameraId("a"))
    place.door.start()
    until = threading.Event()
    for _ in range(100):
        if not load_cases(tmp_path):
            break
        until.wait(0.05)
    place.door.stop()
    assert load_cases(tmp_path) == ()


@pytest.mark.parametrize("content", [b"", b"{", b'[{"camera": 5}]', b"[]garbage", b"\xff\xfe"])
def test_a_damaged_file_quarantines_nobody(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert load_cases(tmp_path) == ()


def test_a_release_by_order_is_durable_at_once_and_of_one_camera_only(tmp_path: Path) -> None:
    place = Place(tmp_path, case("a", crashes=2, terms=1, left_ms=60_000), case("b", crashes=2, terms=1, left_ms=60_000))
    assert isinstance(place.door.enter(plan("a"), place.over), Problem)
    assert place.door.release(CameraId("a"))
    assert [held.camera for held in load_cases(tmp_path)] == ["b"]
    place.enter("a").leave()
    assert isinstance(place.door.enter(plan("b"), place.over), Problem)
    assert not place.door.release(CameraId("a")), "nothing is held against it any more"


def test_what_is_no_camera_is_no_request(tmp_path: Path) -> None:
    (tmp_path / "release-1").write_bytes(b"../../etc")
    (tmp_path / "release-2").write_bytes(b"a\n")
    assert take_releases(tmp_path) == ("a",)
    assert take_releases(tmp_path) == ()


def test_cases_survive_a_start(tmp_path: Path) -> None:
    save_cases(tmp_path, [case("b"), case("a", crashes=3, terms=2, left_ms=7)])
    assert load_cases(tmp_path) == (case("a", crashes=3, terms=2, left_ms=7), case("b"))
    assert b"rtsp" not in (tmp_path / FILE_NAME).read_bytes()


def test_notes_have_a_limit_and_are_gone_after_a_start(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    slots = [notes.open(CameraId(f"cam-{number}"), "m") for number in range(SLOTS)]
    assert notes.open(CameraId("one-more"), "m") is None
    notes.close(None)
    notes.close(slots[7])
    assert notes.open(CameraId("x" * 300), "y" * 300) == slots[7]
    found = {note.suspect.camera: note.suspect.mark for note in read_notes(tmp_path)}
    assert len(found) == SLOTS
    assert "cam-7" not in found
    Notes(tmp_path)
    assert read_notes(tmp_path) == ()
    forget_notes(tmp_path)
    forget_notes(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_notes(tmp_path)


def test_a_plan_shows_no_secret_in_its_mark() -> None:
    assert "secret" not in repr(msgspec.structs.asdict(plan("a")))
