"""The Watchdog of a recorder: keeps the recording service running, and speaks for the machine when it cannot start (SPEC 1, 4.3, 16).

The service is not its child in anything but name: it lives on when the Watchdog dies, and the next Watchdog takes it up again.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import psutil
import structlog

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.port import Bus, BusError, Message, Subscription
from sysmanager.journal.lock import DataFolderError, DataFolderLock
from sysmanager.protocol.recorders import BEAT_INTERVAL_MS, Farewell, Leaving, Refusal, RefusalReason, ServiceState, WatchdogBeat
from sysmanager.recorder import memory
from sysmanager.recorder.buskeeper import BusKeeper
from sysmanager.recorder.configuration import ConfigurationError, RecorderConfiguration, load_configuration
from sysmanager.recorder.crashes import begin_anew, blame, ending_of, traced
from sysmanager.recorder.ending import on_end_signals
from sysmanager.recorder.instance import StateUnusable, instance_of
from sysmanager.recorder.pulse import Phase, Pulse
from sysmanager.recorder.service_process import STATUS_WRONG, is_alive, running_service, service_command, start_service
from sysmanager.recorder.supervision import Action, Look, Supervision, adopted, start_failed, supervise
from sysmanager.sdnotify import Heart, tell_systemd

log = structlog.get_logger(__name__)

LOOK_S = 0.25
REST_LOOK_S = 0.9
"""While a service that it started itself runs well: its end is told at once, and a hanging one has 10 s."""

PAUSE_LIMIT_MS = 1000
"""Of a longer pause between two looks only so much counts: then the machine slept, or this process was held up."""

END_LIMIT_S = 15.0
"""How long a service may take to complete its segments when it is told to end."""

KILLED_LIMIT_S = 5.0
ANNOUNCE_MS = 1_000
"""How long an orderly end waits for the coordinator's word."""

WAIT_LIMIT_S = 10.0
"""How long it records on at most, while another server takes over."""


class Watchdog:
    """`run` returns when it was told to `end`. `command` starts the recording service.

    `bus`: a connection that is there already; without one it is made from the configuration's credentials.
    `tell`: gets what a person at the terminal should know, a sentence at a time: why the service does not run, and that it does again.
    """

    def __init__(
        self,
        configuration: RecorderConfiguration,
        command: Sequence[str],
        *,
        bus: Bus | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._configuration = configuration
        self._id = configuration.recorder
        self._command = command
        self._instance = instance_of(configuration.data_folder)
        self._pulse = Pulse(configuration.data_folder)
        self._heart = Heart()
        self._given_bus = bus
        self._tell = tell
        self._told = ""
        self._keeper = BusKeeper(configuration.bus_credentials, f"watchdog {configuration.id}", self._attach, tell)
        self._supervision = Supervision()
        self._process: psutil.Process | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._killed_hung = False
        self._awake_ms = 0
        self._news = asyncio.Event()
        self._end = asyncio.Event()
        self._look_now = asyncio.Event()
        self._leave_service = False
        self._refusing: Subscription | None = None

    def end(self, *, leave_service: bool = False) -> None:
        """End; the service too, in order, unless it is left for the next Watchdog."""
        self._leave_service = leave_service
        self._end.set()
        self._look_now.set()

    @property
    def supervision(self) -> Supervision:
        return self._supervision

    @property
    def service_pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def run(self) -> None:
        self._adopt()
        tell_systemd("READY=1")
        if self._given_bus is None:
            self._keeper.start()
        beating = asyncio.create_task(self._beat_for_ever())
        try:
            await self._watch()
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)
            tell_systemd("STOPPING=1")
            if not self._leave_service:
                await self._announce()
                await self._end_service()
            await self._keeper.close()
            self._pulse.close()

    def _adopt(self) -> None:
        self._process = running_service(self._configuration.data_folder)
        if self._process is not None:
            self._supervision = adopted(self._awake_ms)
            log.info("recording service found running", recorder=self._id, pid=self._process.pid)
        else:
            begin_anew(self._configuration.data_folder)

    # ---------------------------------------------------------------- watching

    async def _watch(self) -> None:
        before_s = time.monotonic()
        while not self._end.is_set():
            self._heart.beat()
            before = self._supervision
            after, action = supervise(before, self._look(), self._awake_ms)
            self._supervision = after
            if before.begun_ms is not None and after.begun_ms is None:
                log.warning("recording service ended", recorder=self._id, why=after.sentence, failed_starts=after.failed_starts)
                blamed = await self._blame()
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
                self._news.set()
            if self._told and self._supervision.state is ServiceState.RUNNING:
                self._tell_once("", f"The recording service of {self._id} runs again.")
            await self._refuse_or_not()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_s()):
                    await self._look_now.wait()
            if not self._end.is_set():
                self._look_now.clear()
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

    async def _blame(self) -> str:
        """Of a service that crashed: which camera's stream was to blame, in a sentence; empty if none was."""
        folder = self._configuration.data_folder
        status = self._child.returncode if self._child is not None else None
        ending = ending_of(status, hung=self._killed_hung, traced=await asyncio.to_thread(traced, folder))
        self._killed_hung = False
        crashed = ending.crashed and self._pulse.phase is not Phase.ENDING
        sentence = await asyncio.to_thread(blame, folder) if crashed else ""
        await asyncio.to_thread(begin_anew, folder)
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
        loop = asyncio.get_running_loop()
        threading.Thread(target=_tell_end, args=(self._child, loop, self._look_now), name="service", daemon=True).start()

    async def _announce(self) -> None:
        """Say that this is an orderly end; where another server takes over, the service records on until that has its cameras (SPEC 4)."""
        bus = self._bus
        if bus is None or not bus.connected or self._process is None or not self._look().alive:
            return
        leaving = Leaving(recorder=self._id, instance=self._instance, wall_ms=time.time_ns() // 1_000_000)
        try:
            answer: Farewell = wire.decode(Farewell, await bus.request(subjects.LEAVING, wire.encode(leaving), ANNOUNCE_MS))
        except (BusError, wire.WireError) as error:
            log.info("nobody heard that this server is shut down", recorder=self._id, why=str(error))
            return
        log.info("shutdown announced", recorder=self._id, answer=answer.sentence, wait_ms=answer.wait_ms)
        await asyncio.sleep(min(answer.wait_ms / 1000, WAIT_LIMIT_S))

    async def _end_service(self) -> None:
        process = self._process
        if process is None or not self._look().alive:
            return
        if not await self._gone(END_LIMIT_S, ask=True):
            log.warning("recording service did not end and is killed", recorder=self._id)
            _kill(process)
            await self._gone(KILLED_LIMIT_S)

    async def _gone(self, within_s: float, *, ask: bool = False) -> bool:
        """Wait until it ended. ask: to end in order, again and again, as a service that only just begins withdraws what it finds asked."""
        until_s = time.monotonic() + within_s
        while self._look().alive:
            if ask:
                self._pulse.ask_to_stop()
            if time.monotonic() >= until_s:
                return False
            await asyncio.sleep(0.05)
        return True

    # ---------------------------------------------------------------- the bus

    @property
    def _bus(self) -> Bus | None:
        return self._given_bus if self._given_bus is not None else self._keeper.bus

    async def _attach(self, bus: Bus) -> None:
        """A new bus knows nothing of what was served on the last one."""
        self._refusing = None

    async def _beat_for_ever(self) -> None:
        while True:
            self._news.clear()
            bus, supervision = self._bus, self._supervision
            if bus is not None:
                beat = WatchdogBeat(
                    recorder=self._id,
                    instance=self._instance,
                    wall_ms=time.time_ns() // 1_000_000,
                    service=supervision.state,
                    failed_starts=supervision.failed_starts,
                    sentence=supervision.sentence,
                    mono_ms=time.monotonic_ns() // 1_000_000,
                )
                try:
                    await bus.publish(subjects.watchdog(self._id), wire.encode(beat))
                except BusError as error:
                    log.warning("message not sent", why=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_INTERVAL_MS / 1000):
                    await self._news.wait()

    async def _refuse_or_not(self) -> None:
        """Orders to a service that cannot start get their refusal at once, so that the next candidate is tried at once."""
        bus, wanted = self._bus, self._supervision.speaks_for_service
        if wanted and self._refusing is None and bus is not None:
            self._refusing = await bus.serve(subjects.order(self._id), self._refuse)
        elif not wanted and self._refusing is not None:
            refusing, self._refusing = self._refusing, None
            await refusing.end()

    async def _refuse(self, message: Message) -> bytes:
        sentence = f"The recording service can't be started: {self._supervision.sentence}"
        return wire.encode(Refusal(reason=RefusalReason.SERVICE_DOWN, sentence=sentence))


def _is_stopped(process: psutil.Process) -> bool:
    """Whether somebody stopped it from outside, which is no stream's doing."""
    try:
        return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)
    except psutil.Error:
        return False


def _tell_end(child: subprocess.Popen[bytes], loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """A thread of its own: waits for the end of a child, on every system, and takes it off the system's list."""
    child.wait()
    with contextlib.suppress(RuntimeError):  # the loop is over: nobody wants to know any more
        loop.call_soon_threadsafe(ended.set)


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
    on_end: Callable[[Callable[[], None]], None] = on_end_signals,
    tell: Callable[[str], None] = _say,
) -> int:
    """The Watchdog in this process, until it is told to end. Returns the exit status; 2 after one sentence on stderr.

    command: starts the recording service; as the program does it, if not given.
    leave_service: at an orderly end the service goes on; the next Watchdog takes it up.
    on_end: is given, on the loop, what ends it. tell: gets what a person should know, by default at the terminal.
    """
    try:
        configuration = load_configuration(config_path)
        with DataFolderLock(configuration.data_folder / "watchdog"):
            memory.begin()
            watchdog = Watchdog(configuration, command or service_command(config_path.resolve()), tell=tell)
            asyncio.run(_run(watchdog, leave_service, on_end))
    except (ConfigurationError, DataFolderError, StateUnusable) as error:
        sentence = str(error)
    except OSError as error:
        sentence = f"The data folder of the recorder can't be used ({error.strerror or error}); check its disk and rights."
    else:
        return 0
    tell(sentence)
    return STATUS_WRONG


async def _run(watchdog: Watchdog, leave_service: bool, on_end: Callable[[Callable[[], None]], None]) -> None:
    on_end(lambda: watchdog.end(leave_service=leave_service))
    await watchdog.run()
