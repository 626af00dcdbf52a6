"""The Windows service against fakes of pywin32: what is asked of Windows, and how its controls end the Watchdog."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sysmanager.app import windows_service as w
from sysmanager.app.errors import CommandError

CONFIG = Path("C:/ProgramData/Sys Manager/recorder.toml")


class WindowsError(Exception):
    """As pywintypes.error: number, function, text."""


class FakeServices:
    """win32service: what is asked of it, in order."""

    SC_MANAGER_ALL_ACCESS = SERVICE_ALL_ACCESS = 0xF003F
    SERVICE_WIN32_OWN_PROCESS, SERVICE_AUTO_START, SERVICE_ERROR_NORMAL = 16, 2, 1
    SERVICE_STOPPED, SERVICE_STOP_PENDING, SERVICE_RUNNING = 1, 3, 4
    SERVICE_CONTROL_STOP, SERVICE_CONTROL_SHUTDOWN, SERVICE_CONTROL_INTERROGATE = 1, 5, 4

    def __init__(self, *, fails: str = "", number: int = 5, stops_after: int = 2) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.open = 0
        self._fails, self._number, self._stops_after = fails, number, stops_after

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            self.calls.append((name, arguments))
            if name == self._fails:
                raise WindowsError(self._number, name, "Something odd.")
            if name in ("OpenSCManager", "CreateService", "OpenService"):
                self.open += 1
                return name
            if name == "CloseServiceHandle":
                self.open -= 1
            if name == "QueryServiceStatus":
                self._stops_after -= 1
                return (16, self.SERVICE_STOPPED if self._stops_after < 0 else self.SERVICE_RUNNING)
            return None

        return call

    def names(self) -> list[str]:
        return [name for name, _ in self.calls if name != "CloseServiceHandle"]

    def arguments(self, name: str) -> list[tuple[Any, ...]]:
        return [arguments for called, arguments in self.calls if called == name]


class Framework:
    """win32serviceutil.ServiceFramework, as far as it is used."""

    def __init__(self, args: Any) -> None:
        self.args = args
        self.reported: list[tuple[Any, ...]] = []

    def GetAcceptedControls(self) -> int:
        return 1 | 4

    def ReportServiceStatus(self, *arguments: Any) -> None:
        self.reported.append(arguments)


class Pywin32(w.Pywin32):
    def __init__(self, **services: Any) -> None:
        self.service = FakeServices(**services)
        self.serviceutil = SimpleNamespace(ServiceFramework=Framework)
        self.hosted: list[Any] = []
        self.warnings: list[str] = []
        self.sources: list[str] = []
        self.servicemanager = SimpleNamespace(
            __file__="servicemanager.pyd",
            LogWarningMsg=self.warnings.append,
            Initialize=lambda name, file: self.hosted.append(name),
            PrepareToHostSingle=self.hosted.append,
            StartServiceCtrlDispatcher=self.service.StartServiceCtrlDispatcher,
        )
        self.evtlogutil = SimpleNamespace(
            AddSourceToRegistry=lambda name, file, log: self.sources.append(name),
            RemoveSourceFromRegistry=lambda name, log: self.sources.remove(name),
        )
        self.error = WindowsError


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the installer puts it on a machine: no virtual environment."""
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(sys, "executable", "C:\\Program Files\\System Manager\\python.exe")


@pytest.mark.usefixtures("installed")
def test_installing_has_windows_start_it_restart_it_and_give_it_time_at_a_shutdown() -> None:
    api = Pywin32()
    w.install(api, "sysmanager-recorder-REC-1", CONFIG, None)
    (created,) = api.service.arguments("CreateService")
    assert created[1] == "sysmanager-recorder-REC-1"
    assert created[5] == FakeServices.SERVICE_AUTO_START
    assert created[7].startswith('"C:\\Program Files\\System Manager\\python.exe" -X utf8 -m sysmanager recorder --config "')
    assert created[7].endswith(" --as-service sysmanager-recorder-REC-1")
    assert created[11] is None
    told = {level: value for _, level, value in api.service.arguments("ChangeServiceConfig2")}
    assert told[w.CONFIG_PRESHUTDOWN_INFO] == 45_000
    assert told[w.CONFIG_FAILURE_ACTIONS]["Actions"] == ((1, 1000),) * 3
    assert told[w.CONFIG_FAILURE_ACTIONS_FLAG] is True
    assert api.service.names()[-1] == "StartService"
    assert api.sources == ["sysmanager-recorder-REC-1"]
    assert api.service.open == 0


@pytest.mark.usefixtures("installed")
def test_it_is_installed_for_another_account_and_not_started() -> None:
    api = Pywin32()
    w.install(api, "name", CONFIG, "NT SERVICE\\name", start=False)
    assert api.service.arguments("CreateService")[0][11] == "NT SERVICE\\name"
    assert "StartService" not in api.service.names()


def test_removing_stops_it_first() -> None:
    api = Pywin32(stops_after=3)
    api.sources.append("name")
    waits: list[float] = []
    w.uninstall(api, "name", wait=waits.append)
    names = api.service.names()
    assert names.index("ControlService") < names.index("DeleteService")
    assert len(waits) == 2
    assert api.sources == []
    assert api.service.open == 0


def test_one_that_is_stopped_is_removed_at_once() -> None:
    api = Pywin32(stops_after=0)
    api.sources.append("name")
    w.uninstall(api, "name", wait=lambda _: pytest.fail("nothing to wait for"))
    assert "ControlService" not in api.service.names()


def test_one_that_does_not_stop_is_not_removed() -> None:
    api = Pywin32(stops_after=10_000)
    with pytest.raises(CommandError, match="did not stop within 45 s"):
        w.uninstall(api, "name", wait=lambda _: None)
    assert "DeleteService" not in api.service.names()
    assert api.service.open == 0


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("call", "number", "sentence"),
    [
        ("OpenSCManager", 5, "run the command as administrator"),
        ("CreateService", 1073, "is installed already"),
        ("CreateService", 1072, "about to be removed"),
        ("StartService", 1053, "Windows answered: Something odd."),
    ],
)
def test_what_windows_refuses_is_one_sentence(call: str, number: int, sentence: str) -> None:
    api = Pywin32(fails=call, number=number)
    with pytest.raises(CommandError, match=sentence):
        w.install(api, "name", CONFIG, None)
    assert api.service.open == 0


def test_a_service_that_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(CommandError, match="There is no service of that name"):
        w.uninstall(Pywin32(fails="OpenService", number=1060), "name")


def test_a_virtual_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "C:\\venv")
    with pytest.raises(CommandError, match="virtual environment"):
        w.command_line("name", CONFIG)


def test_without_pywin32_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "win32service", None)
    with pytest.raises(CommandError, match="pywin32 can't be used"):
        w.Pywin32()


def test_only_windows_itself_runs_it() -> None:
    with pytest.raises(CommandError, match="Only Windows itself starts this"):
        w.run_as_service(Pywin32(fails="StartServiceCtrlDispatcher", number=1063), "name", CONFIG)
    api = Pywin32()
    w.run_as_service(api, "name", CONFIG)
    assert api.hosted[0] == "name"
    assert api.hosted[1]._svc_name_ == "name"


class Watched:
    """Stands for the Watchdog: runs until it is told to end."""

    def __init__(self, status: int = 0) -> None:
        self.running = threading.Event()
        self.ended = False
        self._status = status

    def __call__(self, on_end: w.OnEnd, tell: Any) -> int:
        tell("It begins.")
        if self._status == 0:
            done = threading.Event()
            on_end(done.set)
            self.running.set()
            self.ended = done.wait(10)
        return self._status


@pytest.mark.parametrize("control", ["stop", "shutdown", "preshutdown"])
def test_each_control_that_means_the_end_ends_the_watchdog_in_order(control: str) -> None:
    api, watched = Pywin32(), Watched()
    service: Any = w.service_class(api, "name", watched)(["name"])
    assert service.GetAcceptedControls() & w.ACCEPT_PRESHUTDOWN
    thread = threading.Thread(target=service.SvcDoRun)
    thread.start()
    assert watched.running.wait(10)
    service.SvcOtherEx(0x80, 0, None)  # means nothing to it
    if control == "stop":
        service.SvcStop()
    elif control == "shutdown":
        service.SvcShutdown()
    else:
        service.SvcOtherEx(w.CONTROL_PRESHUTDOWN, 0, None)
    thread.join(10)
    assert watched.ended
    assert service.reported == [(FakeServices.SERVICE_STOP_PENDING, 45_000)], "Windows is told how long it may take"
    assert api.warnings == ["It begins."]


def test_an_end_that_is_asked_for_before_the_watchdog_runs_is_not_lost() -> None:
    watched = Watched()
    service: Any = w.service_class(Pywin32(), "name", watched)(["name"])
    service.SvcStop()
    service.SvcDoRun()
    assert watched.ended
    service.SvcStop()  # it is over by now


def test_a_watchdog_that_cannot_run_is_reported_as_failed() -> None:
    service: Any = w.service_class(Pywin32(), "name", Watched(status=2))(["name"])
    service.SvcDoRun()
    assert service.reported == [(FakeServices.SERVICE_STOPPED, 0, w.ERROR_SERVICE_SPECIFIC, 2)]
