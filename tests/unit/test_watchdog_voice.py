"""The Watchdog's voice: silent and unloaded until there is something to say, and never a reason not to supervise."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sysmanager.domain.ids import InstanceId
from sysmanager.protocol.values import ServiceState
from sysmanager.recorder import speaker as speaker_module
from sysmanager.recorder import voice as voice_module
from sysmanager.recorder.configuration import load_configuration
from sysmanager.recorder.supervision import Word
from sysmanager.recorder.voice import BusVoice
from tests.helpers.recorder_site import recorder_folder

STARTING, RUNNING = Word(ServiceState.STARTING, 1, "It ended."), Word(ServiceState.RUNNING)
WAIT_S = 20.0


class FakeSpeaker:
    """Stands for the one on the bus. waits: whether `leave` never gets its answer."""

    made: list[FakeSpeaker]
    waits = False

    def __init__(self, configuration: object, instance: object) -> None:
        self.said: list[tuple[Word, bool]] = []
        self.heard = threading.Condition()
        self.closed = False
        self.thread = threading.current_thread()
        self.fails: asyncio.Future[None] | None = None
        FakeSpeaker.made.append(self)

    def begin(self) -> asyncio.Future[None]:
        self.fails = asyncio.get_running_loop().create_future()
        return self.fails

    def say(self, word: Word, again: bool) -> None:
        with self.heard:
            self.said.append((word, again))
            self.heard.notify_all()

    def until(self, said: list[tuple[Word, bool]]) -> None:
        with self.heard:
            assert self.heard.wait_for(lambda: self.said == said, WAIT_S), self.said

    async def leave(self) -> float:
        if self.waits:
            await asyncio.Event().wait()
        return 2.5

    async def close(self) -> None:
        self.closed = True
        if self.fails is not None:
            self.fails.cancel()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., BusVoice]]:
    FakeSpeaker.made = []
    monkeypatch.setattr(speaker_module, "Speaker", FakeSpeaker)
    configuration = load_configuration(recorder_folder(tmp_path, "REC-1", {}, standby=True))
    voices: list[BusVoice] = []

    def made(**options: Any) -> BusVoice:
        voices.append(BusVoice(configuration, InstanceId("one"), **options))
        return voices[-1]

    yield made
    for voice in voices:
        voice.close()


def spoken(voice: BusVoice) -> FakeSpeaker:
    """The speaker, once it is there."""
    assert voice._ready.wait(WAIT_S)
    return FakeSpeaker.made[-1]


def test_it_begins_with_the_first_word_in_a_thread_of_its_own(make: Callable[..., BusVoice]) -> None:
    told: list[str] = []
    voice = make(before=lambda: told.append(threading.current_thread().name))
    assert voice._thread is None
    voice.say(STARTING, again=True)
    speaker = spoken(voice)
    speaker.until([(STARTING, True)])
    assert told == ["voice"]
    assert speaker.thread is not threading.current_thread()


def test_the_same_word_is_handed_on_once_and_the_last_one_too(make: Callable[..., BusVoice]) -> None:
    voice = make()
    for _ in range(3):
        voice.say(STARTING, again=True)
    speaker = spoken(voice)
    voice.say(STARTING, again=True)
    voice.say(RUNNING, again=False)
    voice.say(RUNNING, again=False)
    speaker.until([(STARTING, True), (RUNNING, False)])
    assert len(FakeSpeaker.made) == 1


def test_a_shutdown_is_announced_by_who_never_had_a_word_to_say(make: Callable[..., BusVoice]) -> None:
    voice = make()
    assert voice.leave() == 2.5
    voice.close()
    assert FakeSpeaker.made[0].closed
    assert FakeSpeaker.made[0].said == []


def test_an_announcement_that_nobody_answers_does_not_hold_up_the_end(
    make: Callable[..., BusVoice], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(voice_module, "LEAVE_LIMIT_S", 0.2)
    monkeypatch.setattr(FakeSpeaker, "waits", True)
    voice = make()
    voice.say(STARTING, again=True)
    spoken(voice)
    assert voice.leave() == 0.0
    assert caplog.messages == ["the shutdown could not be announced"]
    caplog.clear()


def test_a_voice_that_fails_is_logged_and_begun_anew_after_a_while(
    make: Callable[..., BusVoice], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fails = [True]

    def before() -> None:
        if fails:
            raise ImportError("no nats on this disk")

    voice = make(before=before)
    voice.say(STARTING, again=True)
    assert voice._thread is not None
    voice._thread.join(WAIT_S)
    assert voice.leave() == 0.0
    assert caplog.messages == ["the Watchdog can't speak"]
    caplog.clear()
    fails.clear()
    voice.say(STARTING, again=True)
    assert FakeSpeaker.made == []
    begun_s = voice._begun_s
    assert begun_s is not None
    monkeypatch.setattr(time, "monotonic", lambda: begun_s + voice_module.AGAIN_S)
    voice.say(STARTING, again=True)
    assert voice._thread is not None
    while not FakeSpeaker.made and voice._thread.is_alive():
        voice._thread.join(0.01)
    FakeSpeaker.made[0].until([(STARTING, True)])


def test_an_error_that_nobody_thought_of_is_logged_and_speaking_begins_anew(
    make: Callable[..., BusVoice], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(voice_module, "AGAIN_S", 0.0)
    voice = make()
    voice.say(STARTING, again=True)
    first = spoken(voice)
    first.until([(STARTING, True)])
    assert first.fails is not None
    first.fails.get_loop().call_soon_threadsafe(first.fails.set_exception, AttributeError("of another version"))
    assert voice._thread is not None
    voice._thread.join(WAIT_S)
    assert caplog.messages == ["the Watchdog can't speak"]
    caplog.clear()
    voice.say(STARTING, again=True)
    assert spoken(voice) is not first
    assert voice.leave() == 2.5


def test_a_thread_that_cannot_be_started_is_logged_and_ends_nothing(
    make: Callable[..., BusVoice], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    voice = make()
    voice.say(STARTING, again=True)
    assert voice.leave() == 0.0
    voice.close()
    assert caplog.messages == ["the Watchdog can't speak"], "and it is not tried again at each look"
    caplog.clear()


def test_an_end_while_it_begins_waits_for_nothing(make: Callable[..., BusVoice]) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def before() -> None:
        begun.set()
        assert go_on.wait(WAIT_S)

    voice = make(before=before)
    voice.say(STARTING, again=True)
    assert begun.wait(WAIT_S)
    closing = threading.Thread(target=voice.close)
    closing.start()
    while not voice._closed:
        closing.join(0.01)
    go_on.set()
    closing.join(WAIT_S)
    assert voice._thread is not None
    assert not voice._thread.is_alive(), "nobody ends it any more"
    assert FakeSpeaker.made[0].said == []


def test_after_the_end_nothing_is_said(make: Callable[..., BusVoice]) -> None:
    voice = make()
    voice.say(STARTING, again=True)
    speaker = spoken(voice)
    speaker.until([(STARTING, True)])
    voice.close()
    assert speaker.closed
    voice.say(RUNNING, again=False)
    assert len(FakeSpeaker.made) == 1
