"""What sessions read is taken in for all cameras together; disks are woken once for it, and one camera's trouble is its own."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import av
import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.door import FreeDoor
from sysmanager.recorder.frameclock import SteadyClock
from sysmanager.recorder.frametiming import FrameTiming
from sysmanager.recorder.intake import Intake, Source
from sysmanager.recorder.pictures import KeyFrames
from sysmanager.recorder.reconnect import Problem
from sysmanager.recorder.segments import Frame, StreamKind
from sysmanager.recorder.session import UNREAD_LIMIT, CameraPlan, CameraSession, SessionSettings, Try
from tests.helpers.footage import H264, WAIT_S


class Log:
    """What happened, in order; also the disks."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self._news = threading.Condition()

    def say(self, what: str) -> None:
        with self._news:
            self.said.append(what)
            self._news.notify_all()

    def wait(self, wanted: Callable[[list[str]], bool]) -> list[str]:
        with self._news:
            assert self._news.wait_for(lambda: wanted(self.said), WAIT_S), self.said
            return list(self.said)

    def hold(self) -> None:
        self.say("hold")

    def hand_over(self) -> None:
        self.say("hand over")


class Camera:
    def __init__(self, name: str, log: Log, then: Callable[[], None] = lambda: None) -> None:
        self._name, self._log, self._then = name, log, then

    def take_in(self) -> None:
        self._log.say(self._name)
        self._then()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def intake(log: Log) -> Iterator[Intake]:
    made = Intake(log)
    made.start()
    yield made
    made.stop(WAIT_S)


def test_after_a_pause_frames_are_taken_in_at_once(intake: Intake, log: Log) -> None:
    for turn in range(1, 4):
        intake.want(Camera("a", log))
        log.wait(lambda said, turn=turn: said.count("hand over") >= turn)  # type: ignore[misc]
    assert log.said == ["hold", "a", "hand over"] * 3


def test_what_comes_meanwhile_is_taken_in_together(intake: Intake, log: Log) -> None:
    def more() -> None:
        for name in "bcd":
            intake.want(Camera(name, log))

    intake.want(Camera("a", log, more))
    log.wait(lambda said: said.count("hand over") >= 2)
    assert log.said == ["hold", "a", "hand over", "hold", "b", "c", "d", "hand over"]


def test_an_error_of_one_does_not_stop_the_others(intake: Intake, log: Log) -> None:
    def fail() -> None:
        intake.want(Camera("next", log))
        raise RuntimeError("planted")

    intake.want(Camera("bad", log, fail))
    log.wait(lambda said: said.count("hand over") >= 2)
    assert log.said == ["hold", "bad", "hand over", "hold", "next", "hand over"]


def test_it_ends_while_it_waits(log: Log) -> None:
    intake = Intake(log)
    intake.start()
    intake.stop(WAIT_S)
    intake.want(Camera("late", log))
    assert log.said == []


class Sink:
    """Keeps the frames of a session; fails at the one it is told to."""

    def __init__(self, fail_at: int = -1) -> None:
        self.frames: list[Frame] = []
        self.ended = 0
        self._fail_at = fail_at

    def begin(self, kind: StreamKind) -> None: ...

    def put(self, frame: Frame) -> bool:
        if len(self.frames) == self._fail_at:
            raise RuntimeError("planted")
        self.frames.append(frame)
        return True

    def end(self) -> None:
        self.ended += 1


class Wants(Intake):
    """Nobody who works; how often it was asked to."""

    def __init__(self) -> None:
        super().__init__(Log())
        self.times = 0

    def want(self, source: Source) -> None:
        self.times += 1


class Reading:
    """A session that is open, as its thread leaves it: packets read, none handed on."""

    def __init__(self, sink: Sink, packets: int) -> None:
        self.told: list[Problem] = []
        self.intake = Wants()
        self.session = CameraSession(
            CameraPlan(id=CameraId("cam-001"), name="Gate", url="rtsp://127.0.0.1/cam-001"),
            sink,
            settings=SessionSettings(),
            clock=SteadyClock(),
            chance=random.Random(1),
            changed=lambda _plan, problem: self.told.append(problem),
            door=FreeDoor(),
            key_frames=KeyFrames(),
            intake=self.intake,
        )
        self.current = Try()
        self.current.begin()
        self.current.opened = True
        self.current.begin_stream(H264, FrameTiming(Fraction(1, 1000), 66_667, SteadyClock()), None)
        for number in range(packets):
            packet = av.Packet(b"\0\0\0\1frame")
            packet.pts = packet.dts = number * 67
            self.current.unread.append((packet, True, 100 + number * 0.067))
        self.session._try = self.current


def test_what_was_read_is_handed_on_once_and_the_first_picture_is_told() -> None:
    sink = Sink()
    reading = Reading(sink, 3)
    reading.session.take_in()
    reading.session.take_in()
    assert len(sink.frames) == 3
    assert [problem.state for problem in reading.told] == [CameraState.RECORDING]


def test_a_session_that_ends_while_its_first_picture_is_told_is_not_told_to_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first picture is told by the thread that takes in, the end by the session's own."""
    reading = Reading(Sink(), 3)
    ended = Problem(CameraState.CONNECTING, "Gate ended the session. It is opened anew.")
    ending = threading.Thread(target=reading.session._report, args=(reading.current, ended))

    def reset() -> None:
        ending.start()
        ending.join(0.1)

    monkeypatch.setattr(reading.session._waits, "reset", reset)
    reading.session.take_in()
    ending.join(WAIT_S)
    assert reading.session.problem == ended


def test_an_ending_session_hands_on_what_it_read() -> None:
    sink = Sink()
    reading = Reading(sink, 3)
    reading.session.stop()
    assert (len(sink.frames), sink.ended) == (3, 1)
    reading.session.take_in()
    assert len(sink.frames) == 3


def test_a_session_that_stalls_hands_on_what_it_read() -> None:
    sink = Sink()
    reading = Reading(sink, 3)
    reading.session.watch(1.0)
    reading.session.watch(60.0)
    reading.session.stop()  # the next try
    assert len(sink.frames) == 3
    assert reading.told[-1].state is CameraState.STALLED


def test_a_session_that_finishes_hands_on_until_its_moment_only() -> None:
    sink = Sink()
    reading = Reading(sink, 5)
    reading.session.take_in()
    until_us = sink.frames[-1].pts_us + 1
    reading.current.until_us = until_us
    for number in range(5, 9):
        packet = av.Packet(b"\0\0\0\1frame")
        packet.pts = packet.dts = number * 67
        reading.current.unread.append((packet, True, 100 + number * 0.067))
    reading.session.take_in()
    assert (len(sink.frames), sink.ended) == (6, 1)
    assert reading.session.ended


def test_frames_that_cannot_be_worked_on_end_that_try_and_nothing_else() -> None:
    sink = Sink(fail_at=1)
    reading = Reading(sink, 3)
    reading.session.take_in()
    assert reading.current.failed
    assert not reading.current.unread
    reading.session.stop()
    assert (len(sink.frames), sink.ended) == (1, 1)


class Stream:
    """What a session reads of a camera: `before` is called with the number of each packet, before it comes."""

    def __init__(self, packets: int, before: Callable[[int], None]) -> None:
        self._packets, self._before = packets, before
        self.index, self.time_base, self.average_rate, self.guessed_rate = 0, Fraction(1, 1000), Fraction(15), None
        self.video = [self]
        self.streams = self

    def demux(self, _streams: object) -> Iterator[av.Packet[Any]]:
        for number in range(self._packets):
            self._before(number)
            packet = av.Packet(b"\0\0\0\1frame")
            packet.pts = packet.dts = number * 67
            yield packet


def test_a_session_is_wanted_once_until_it_is_come_to_whatever_it_reads_meanwhile() -> None:
    sink = Sink()
    reading = Reading(sink, 0)
    asked: list[int] = []

    def before(number: int) -> None:
        asked.append(reading.intake.times)
        if number == 3:
            reading.session.take_in()

    visit = FreeDoor().enter(reading.session.plan, reading.current.over)
    reading.session._read(reading.current, Stream(6, before), H264, visit)  # type: ignore[arg-type]
    assert asked == [0, 1, 1, 1, 2, 2]
    assert len(sink.frames) == 3
    reading.session.take_in()
    assert len(sink.frames) == 6


def test_what_nobody_comes_to_a_session_hands_on_itself() -> None:
    sink = Sink()
    reading = Reading(sink, 0)
    visit = FreeDoor().enter(reading.session.plan, reading.current.over)
    reading.session._read(reading.current, Stream(UNREAD_LIMIT + 2, lambda _number: None), H264, visit)  # type: ignore[arg-type]
    assert len(sink.frames) == UNREAD_LIMIT
    assert reading.intake.times == 2
