"""The Watchdog and real service processes: restarts, says FAILED, lets the service outlive it and takes it up again."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from sysmanager.bus.local import LocalBus
from sysmanager.domain.ids import Epoch
from sysmanager.protocol.recorders import OrderKey, Refusal, RefusalReason, ServiceState, StandDown, WatchdogBeat
from sysmanager.recorder.configuration import RecorderConfiguration, load_configuration
from sysmanager.recorder.pulse import Phase, Pulse
from sysmanager.recorder.service_process import is_alive, running_service
from sysmanager.recorder.watchdog import Watchdog
from tests.helpers.recorder_site import Coordinator, recorder_folder
from tests.helpers.watching import watching as watched

pytestmark = pytest.mark.process

WAIT_S = 30.0
SERVICE = (
    "import sys; from pathlib import Path; from sysmanager.recorder.service_process import run_service;"
    "sys.exit(run_service(Path(sys.argv[1])))"
)
WATCHDOG = (
    "import sys; from pathlib import Path; from sysmanager.recorder.watchdog import run_watchdog;"
    "sys.exit(run_watchdog(Path(sys.argv[1]), sys.argv[3:], leave_service=sys.argv[2] == 'leave'))"
)


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    path = recorder_folder(tmp_path, "spare", {}, standby=True)
    data_folder = load_configuration(path).data_folder
    yield path
    left = running_service(data_folder)
    if left is not None:
        with suppress(psutil.Error):
            left.kill()
            left.wait(WAIT_S)


@pytest.fixture
def talkative(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Watchdog that speaks from the beginning of a start."""
    monkeypatch.setattr("sysmanager.recorder.supervision.PATIENCE_MS", 0)


def service_command(config: Path) -> tuple[str, ...]:
    return (sys.executable, "-c", SERVICE, str(config))


async def started_service(data_folder: Path) -> psutil.Process:
    """The service, once it is initialised."""

    def wait() -> psutil.Process:
        until_s = time.monotonic() + WAIT_S
        while time.monotonic() < until_s:
            service = running_service(data_folder)
            if service is not None:
                pulse = Pulse(data_folder)
                phase = pulse.phase
                pulse.close()
                if phase is Phase.RUNNING:
                    return service
            time.sleep(0.05)
        raise TimeoutError("no recording service was started")

    return await asyncio.to_thread(wait)


@asynccontextmanager
async def watching(
    configuration: RecorderConfiguration,
    command: tuple[str, ...],
    *,
    leave: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[tuple[Watchdog, Coordinator]]:
    bus = LocalBus()
    coordinator = Coordinator(bus.endpoint())
    await coordinator.open()
    endpoint = bus.endpoint()
    try:
        async with watched(configuration, command, endpoint, leave=leave, tell=tell) as (watchdog, _):
            yield watchdog, coordinator
    finally:
        await endpoint.close()
        await coordinator.bus.close()


@contextmanager
def watchdog_process(config: Path, leave: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", WATCHDOG, str(config), leave, *service_command(config)])
    try:
        yield process
    finally:
        process.kill()
        process.wait(WAIT_S)


def says(state: ServiceState) -> Callable[[WatchdogBeat], bool]:
    return lambda beat: beat.service is state


@pytest.mark.usefixtures("talkative")
async def test_a_killed_service_is_started_again_and_ends_with_its_watchdog(config: Path) -> None:
    configuration = load_configuration(config)
    async with watching(configuration, service_command(config)) as (watchdog, coordinator):
        await coordinator.watchdog("spare", says(ServiceState.RUNNING))
        first = running_service(configuration.data_folder)
        assert first is not None
        assert watchdog.service_pid == first.pid
        first.kill()
        await coordinator.watchdog("spare", says(ServiceState.STARTING))
        beat = await coordinator.watchdog("spare", says(ServiceState.RUNNING))
        assert beat.failed_starts <= 1
        second = running_service(configuration.data_folder)
        assert second is not None
        assert second.pid != first.pid
    assert not is_alive(second)
    pulse = Pulse(configuration.data_folder)
    assert pulse.phase is Phase.ENDING
    pulse.close()


@pytest.mark.usefixtures("talkative")
@pytest.mark.skipif(sys.platform == "win32", reason="systemd is a Linux service manager")
async def test_systemd_is_told_that_it_is_ready_alive_and_ending(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "400000")
        systemd.setblocking(False)
        said: list[str] = []
        # Its queue is short, and what does not fit is not said.
        asyncio.get_running_loop().add_reader(systemd, lambda: said.append(systemd.recv(1000).decode()))
        async with watching(load_configuration(config), service_command(config)) as (_, coordinator):
            await coordinator.watchdog("spare", says(ServiceState.RUNNING))
        while "STOPPING=1" not in said:  # noqa: ASYNC110 - told by a reader of the loop
            await asyncio.sleep(0)
        asyncio.get_running_loop().remove_reader(systemd)
    assert said[0] == "READY=1"
    assert said[-1] == "STOPPING=1"
    assert "STATUS=The recording service is running." in said
    assert said.count("WATCHDOG=1") >= 2


async def rested(watchdog: Watchdog) -> None:
    async with asyncio.timeout(WAIT_S):
        while not watchdog.supervision.held:  # noqa: ASYNC110 - a look finds it, and tells nobody
            await asyncio.sleep(0.01)


async def test_the_end_of_a_service_is_told_while_its_watchdog_rests(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysmanager.recorder.supervision.HELD_MS", 0)
    monkeypatch.setattr("sysmanager.recorder.watchdog.REST_LOOK_S", 10 * WAIT_S)
    async with watching(load_configuration(config), service_command(config)) as (watchdog, coordinator):
        await rested(watchdog)
        first = watchdog.service_pid
        assert first is not None
        psutil.Process(first).kill()
        await coordinator.watchdog("spare", says(ServiceState.STARTING))
        await rested(watchdog)
        assert watchdog.service_pid != first


async def test_a_watchdog_is_silent_while_its_service_speaks_and_speaks_when_that_ended(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a machine under load a start may take long, and a service may seem to hang.
    monkeypatch.setattr("sysmanager.recorder.supervision.PATIENCE_MS", 60_000)
    monkeypatch.setattr("sysmanager.recorder.supervision.SILENT_MS", 60_000)
    configuration = load_configuration(config)
    async with watching(configuration, service_command(config)) as (watchdog, coordinator):
        await rested(watchdog)
        assert coordinator.watchdogs == {}
        assert watchdog.service_pid is not None
        psutil.Process(watchdog.service_pid).kill()
        beat = await coordinator.watchdog("spare", says(ServiceState.STARTING))
        assert "was ended by SIGKILL" in beat.sentence
        await coordinator.watchdog("spare", lambda beat: says(ServiceState.RUNNING)(beat) and not beat.sentence)
        assert not watchdog.supervision.speaks, "and that was its last word"


async def test_the_service_of_another_watchdog_is_looked_at_often(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configuration = load_configuration(config)
    async with watching(configuration, service_command(config), leave=True):
        service = await started_service(configuration.data_folder)
    monkeypatch.setattr("sysmanager.recorder.supervision.HELD_MS", 0)
    monkeypatch.setattr("sysmanager.recorder.watchdog.REST_LOOK_S", 10 * WAIT_S)
    async with watching(configuration, service_command(config)) as (watchdog, coordinator):
        await rested(watchdog)
        await coordinator.watchdog("spare", says(ServiceState.RUNNING))
        assert watchdog.service_pid == service.pid
        service.kill()
        await coordinator.watchdog("spare", says(ServiceState.STARTING))


@pytest.mark.usefixtures("talkative")
async def test_a_service_that_only_just_begins_ends_in_order_with_its_watchdog(config: Path) -> None:
    configuration = load_configuration(config)
    async with watching(configuration, service_command(config)) as (watchdog, coordinator):
        await coordinator.watchdog("spare", says(ServiceState.STARTING))
        assert watchdog.service_pid is not None
        service = psutil.Process(watchdog.service_pid)
    assert not is_alive(service)
    pulse = Pulse(configuration.data_folder)
    assert pulse.phase is Phase.ENDING, "it was killed instead"
    pulse.close()


async def test_a_service_that_cannot_start_is_failed_and_orders_are_refused_for_it(config: Path) -> None:
    configuration = load_configuration(config)
    (configuration.data_folder).mkdir()
    (configuration.data_folder / "state-a").mkdir()
    told: list[str] = []
    async with watching(configuration, service_command(config), tell=told.append) as (_, coordinator):
        beat = await coordinator.watchdog("spare", says(ServiceState.FAILED))
        assert beat.failed_starts >= 3
        assert "state-a can't be read" in beat.sentence
        answer = await coordinator.order("spare", StandDown(key=OrderKey(), epoch=Epoch(3)))
        assert isinstance(answer, Refusal)
        assert answer.reason is RefusalReason.SERVICE_DOWN
        (configuration.data_folder / "state-a").rmdir()
        assert (await coordinator.watchdog("spare", says(ServiceState.RUNNING))).failed_starts == 0
    first, missing, last = told
    assert "bus.json" in missing, "what a service that runs wants people to know comes from it"
    assert first.startswith("The recording service of spare ended and is started again. ")
    assert "state-a can't be read" in first
    assert last == "The recording service of spare runs again."


async def test_a_command_that_does_not_exist_is_failed(config: Path, tmp_path: Path) -> None:
    told: list[str] = []
    async with watching(load_configuration(config), (str(tmp_path / "nothing"),), tell=told.append) as (_, coordinator):
        beat = await coordinator.watchdog("spare", says(ServiceState.FAILED))
        assert "can't be started" in beat.sentence
        assert told == [beat.sentence], "once, not at every try"


async def test_a_service_outlives_a_killed_watchdog_and_the_next_one_takes_it_up(config: Path) -> None:
    configuration = load_configuration(config)
    with watchdog_process(config, "stop") as process:
        service = await started_service(configuration.data_folder)
        process.kill()
        await asyncio.to_thread(process.wait)
        async with watching(configuration, service_command(config)) as (watchdog, coordinator):
            await coordinator.watchdog("spare", says(ServiceState.RUNNING))
            assert watchdog.service_pid == service.pid
            assert is_alive(service)
    assert not is_alive(service)


@pytest.mark.skipif(sys.platform == "win32", reason="a process without a console of its own can't be sent Ctrl+Break from here")
@pytest.mark.parametrize("leave", ["stop", "leave"])
async def test_a_watchdog_that_is_told_to_end_stops_its_service_or_leaves_it(config: Path, leave: str) -> None:
    configuration = load_configuration(config)
    with watchdog_process(config, leave) as process:
        service = await started_service(configuration.data_folder)
        process.terminate()
        assert await asyncio.to_thread(process.wait, WAIT_S) == 0
    assert is_alive(service) is (leave == "leave")


async def test_a_second_watchdog_and_a_second_service_are_refused_with_a_sentence(config: Path) -> None:
    with watchdog_process(config, "stop"):
        await started_service(load_configuration(config).data_folder)
        for command in ([sys.executable, "-c", WATCHDOG, str(config), "stop", *service_command(config)], service_command(config)):
            second = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=WAIT_S)
            assert second.returncode == 2
            assert b"is in use by process" in second.stderr
            assert b"Traceback" not in second.stderr


def test_a_wrong_configuration_is_one_sentence(config: Path) -> None:
    config.write_text("colour = 1\n" + config.read_text(encoding="utf-8"), encoding="utf-8")
    second = subprocess.run(service_command(config), capture_output=True, timeout=WAIT_S)
    assert second.returncode == 2
    assert b"'colour', which is not known" in second.stderr
    assert b"Traceback" not in second.stderr
