"""The Watchdog of a recorder: keeps the recording service running, and speaks for the machine when it cannot start (SPEC 1, 4.3, 16).

The service is not its child in anything but name: it lives on when the Watchdog dies, and the next Watchdog takes it up again.
It has no event loop: two processes record at each site, and this one should cost next to nothing while the other runs well.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import psutil

from sysmanager.journal.lock import DataFolderError, DataFolderLock
from sysmanager.plainlog import plain_log
from sysmanager.protocol.values import ServiceState
from sysmanager.recorder import memory
from sysmanager.recorder.configuration import ConfigurationError, RecorderConfiguration, load_configuration
from sysmanager.recorder.crashes import begin_anew, blame, ending_of, traced
from sysmanager.recorder.ending import on_signals
from sysmanager.recorder.instance import StateUnusable, instance_of
from sysmanager.recorder.pulse import Phase, Pulse
from sysmanager.recorder.service_process import STATUS_WRONG, is_alive, running_service, service_command, start_service
from sysmanager.recorder.supervision import Action, Look, Supervision, adopted, start_failed, supervise
from sysmanager.recorder.voice import BusVoice, Voice
from sysmanager.sdnotify import Heart, tell_systemd

log = plain_log(__name__)

LOOK_S = 0.25
REST_LOOK_S = 0.9
"""While a service that it started itself runs well: its end is told at once, and a hanging one has 10 s."""

PAUSE_LIMIT_MS = 1000
"""Of a longer pause between two looks only so much counts: then the machine slept, or this process was held up."""

END_LIMIT_S = 15.0
"""How long a service may take to complete its segments when it is told to end."""

KILLED_LIMIT_S = 5.0

WAIT_LIMIT_S = 10.0
"""How long it records on at most, while another server takes over."""


class Watchdog:
    """`run` returns when it was told to `end`. `command` starts the recording service; `voice` says on the bus what it has to say.

    `tell`: gets what a person at the terminal should know, a sentence at a time: why the service does not run, and that it does again.
    """

    def __init__(
        self,
        configuration: RecorderConfiguration,
        command: Sequence[str],
        *,
        voice: Voice,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._configuration = configuration
        self._id = configuration.recorder
        self._command = command
        self._voice = voice
        self._pulse = Pulse(configuration.data_folder)
        self._heart = Heart()
        self._tell = tell
        self._told = self._noticed = ""
        self._supervision = Supervision()
        self._process: psutil.Process | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._killed_hung = False
        self._awake_ms = 0
        self._ending = False
        self._leave_service = False
        # Not an Event: a signal may come while this very thread waits, and what its handler calls must not need a lock.
        self._look_now: queue.SimpleQueue[None] = queue.SimpleQueue()

    def end(self, *, leave_service: bool = False) -> None:
        """End; the service too, in order, unless it is left for the next Watchdog. From any thread, and from the handler of a signal."""
        self._leave_service = leave_service
        self._ending = True
        self._look_now.put(None)

    @property
    def supervision(self) -> Supervision:
        return self._supervision

    @property
    def service_pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    def run(self) -> None:
        self._adopt()
        tell_systemd("READY=1")
        try:
            self._watch()
        finally:
            tell_systemd("STOPPING=1")
            try:
                if not self._leave_service:
                    self._announce()
            finally:
                if not self._leave_service:
                    self._end_service()
                self._voice.close()
                self._pulse.close()

    def _adopt(self) -> None:
        self._process = running_service(self._configuration.data_folder)
        if self._process is not None:
            self._supervision = adopted(self._awake_ms)
            log.info("recording service found running", recorder=self._id, pid=self._process.pid)
        else:
            begin_anew(self._configuration.data_folder)

    # ---------------------------------------------------------------- watching

    def _watch(self) -> None:
        before_s = time.monotonic()
        while not self._ending:
            self._heart.beat()
            before = self._supervision
            after, action = supervise(before, self._look(), self._awake_ms)
            self._supervision = after
            if before.begun_ms is not None and after.begun_ms is None:
                self._voice.say(after.word, again=True)  # before any disk is touched: that may be what is wrong
                log.warning("recording service ended", recorder=self._id, why=after.sentence, failed_starts=after.failed_starts)
                blamed = self._blame()
                self._process = self._child = None
                sentence = f"{after.sentence} {blamed}".strip()
                self._supervision = msgspec.structs.replace(after, sentence=sentence)
                self._tell_once(sentence, f"The recording service of {self._id} ended and is started again. {sentence}")
            if action is Action.START:
                self._start()
            elif action is Action.KILL and self._process is not None:
                log.warning("recording service is killed", recorder=self._id, why=after.sentence)
                self._killed_hung = not _is_stopped(self._process)
                _kill(self._process)
            if self._supervision.state is not before.state:
                log.info("recording service", recorder=self._id, state=self._supervision.state.value)
                tell_systemd(f"STATUS=The recording service is {self._supervision.state.value}. {self._supervision.sentence}".rstrip())
            if self._told and self._supervision.state is ServiceState.RUNNING:
                self._tell_once("", f"The recording service of {self._id} runs again.")
            if self._supervision.speaks or before.speaks:
                self._voice.say(self._supervision.word, again=self._supervision.speaks)
            self._pass_on_notice()
            with contextlib.suppress(queue.Empty):
                self._look_now.get(timeout=self._look_s())
            now_s = time.monotonic()
            self._awake_ms += min(PAUSE_LIMIT_MS, round((now_s - before_s) * 1000))
            before_s = now_s

    def _look_s(self) -> float:
        """Until the next look. Who is not our child ends without a word, and has to be looked at."""
        resting = self._child is not None and self._supervision.held and self._supervision.state is ServiceState.RUNNING
        return min(REST_LOOK_S, self._heart.every_s or REST_LOOK_S) if resting else LOOK_S

    def _tell_once(self, reason: str, sentence: str) -> None:
        """Every start that fails has its reason; it is said when it is another one than the last time."""
        if reason != self._told:
            self._told = reason
            self._tell(sentence)

    def _pass_on_notice(self) -> None:
        """What a service that runs wants people to know: once, however often it is started anew."""
        noticed = self._pulse.noticed
        if noticed and noticed != self._noticed:
            self._noticed = noticed
            self._tell(noticed)

    def _blame(self) -> str:
        """Of a service that crashed: which camera's stream was to blame, in a sentence; empty if none was."""
        folder = self._configuration.data_folder
        status = self._child.returncode if self._child is not None else None
        ending = ending_of(status, hung=self._killed_hung, traced=traced(folder))
        self._killed_hung = False
        crashed = ending.crashed and self._pulse.phase is not Phase.ENDING
        sentence = blame(folder) if crashed else ""
        begin_anew(folder)
        return sentence

    def _look(self) -> Look:
        if self._child is not None:
            status = self._child.poll()  # also takes it off the system's list when it ended
            alive, how = status is None, f"The recording service {ending_of(status).words}; see its log."
        else:
            alive = self._process is not None and is_alive(self._process)
            how = "The recording service ended; see its log."
        if not alive:
            return Look(alive=False, sentence=self._pulse.complaint or how)
        return Look(alive=True, phase=self._pulse.phase, counter=self._pulse.counter)

    def _start(self) -> None:
        self._pulse.clear()
        try:
            self._child = start_service(self._command)
            self._process = psutil.Process(self._child.pid)
        except (OSError, psutil.Error) as error:
            self._child = None
            sentence = f"The recording service can't be started: {getattr(error, 'strerror', None) or error}."
            self._supervision = start_failed(self._supervision, sentence, self._awake_ms)
            self._tell_once(sentence, sentence)
            return
        log.info("recording service started", recorder=self._id, pid=self._child.pid)
        threading.Thread(target=_tell_end, args=(self._child, self._look_now), name="service", daemon=True).start()

    def _announce(self) -> None:
        """Say that this is an orderly end; where another server takes over, the service records on until that has its cameras (SPEC 4)."""
        if self._process is not None and self._look().alive:
            time.sleep(min(self._voice.leave(), WAIT_LIMIT_S))

    def _end_service(self) -> None:
        process = self._process
        if process is None or not self._look().alive:
            return
        if not self._gone(END_LIMIT_S, ask=True):
            log.warning("recording service did not end and is killed", recorder=self._id)
            _kill(process)
            self._gone(KILLED_LIMIT_S)

    def _gone(self, within_s: float, *, ask: bool = False) -> bool:
        """Wait until it ended. ask: to end in order, again and again, as a service that only just begins withdraws what it finds asked."""
        until_s = time.monotonic() + within_s
        while self._look().alive:
            if ask:
                self._pulse.ask_to_stop()
            if time.monotonic() >= until_s:
                return False
            time.sleep(0.05)
        return True


def _is_stopped(process: psutil.Process) -> bool:
    """Whether somebody stopped it from outside, which is no stream's doing."""
    try:
        return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.Error:
        return False


def _tell_end(child: subprocess.Popen[bytes], look_now: queue.SimpleQueue[None]) -> None:
    """A thread of its own: waits for the end of a child, on every system, and takes it off the system's list."""
    child.wait()
    look_now.put(None)


def _kill(process: psutil.Process) -> None:
    """psutil makes sure that it is still the same process."""
    with contextlib.suppress(psutil.Error):
        process.kill()


def _say(sentence: str) -> None:
    # The terminal may be gone, and a service of Windows has none; the log has it too.
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"sysmanager: {sentence}\n")
            sys.stderr.flush()


def run_watchdog(
    config_path: Path,
    command: Sequence[str] | None = None,
    *,
    leave_service: bool = False,
    on_end: Callable[[Callable[[], None]], None] = on_signals,
    tell: Callable[[str], None] = _say,
    before_speaking: Callable[[], object] = lambda: None,
) -> int:
    """The Watchdog in this process, until it is told to end. Returns the exit status; 2 after one sentence on stderr.

    command: starts the recording service; as the program does it, if not given.
    leave_service: at an orderly end the service goes on; the next Watchdog takes it up.
    on_end: is given what ends it. tell: gets what a person should know, by default at the terminal.
    before_speaking: called in a thread of its own before what speaks on the bus is loaded, if that is ever needed.
    """
    try:
        configuration = load_configuration(config_path)
        with DataFolderLock(configuration.data_folder / "watchdog"):
            memory.begin()
            voice = BusVoice(configuration, instance_of(configuration.data_folder), before=before_speaking)
            watchdog = Watchdog(configuration, command or service_command(config_path.resolve()), voice=voice, tell=tell)
            on_end(lambda: watchdog.end(leave_service=leave_service))
            watchdog.run()
    except (ConfigurationError, DataFolderError, StateUnusable) as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"The data folder of the recorder can't be used ({error.strerror or error}); check its disk and rights."
    else:
        return 0
    tell(sentence)
    return STATUS_WRONG
