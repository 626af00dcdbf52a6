"""A VMS server as a Windows service (SPEC 16): its Watchdog under the service manager of Windows, which tells it to end.

Written against pywin32, which is handed in as `Pywin32` and loaded on Windows only. Windows announces its own shutdown with the control
*preshutdown*, while network and other services still run: the Watchdog then tells the coordinator, as it does when it is stopped by hand.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from sysmanager.app.errors import CommandError

STOP_MS: Final = 45_000
"""Telling the coordinator, waiting until another server has the cameras, completing the segments: at most so long."""

RESTART_MS: Final = 1_000
FORGIVEN_S: Final = 86_400
LOOK_S: Final = 0.25

# From winsvc.h and winerror.h; not all of them have a name in every version of pywin32.
ACCEPT_PRESHUTDOWN: Final = 0x100
CONTROL_PRESHUTDOWN: Final = 0x0F
CONFIG_DESCRIPTION: Final = 1
CONFIG_FAILURE_ACTIONS: Final = 2
CONFIG_FAILURE_ACTIONS_FLAG: Final = 4
CONFIG_PRESHUTDOWN_INFO: Final = 7
ACTION_RESTART: Final = 1
ERROR_SERVICE_SPECIFIC: Final = 1066

_SENTENCES: Final = {
    5: "Windows does not allow it; run the command as administrator.",
    1060: "There is no service of that name on this machine.",
    1063: "Only Windows itself starts this; install it with 'sysmanager recorder install-service'.",
    1072: "The service is about to be removed; close the Services console, or restart the machine.",
    1073: "The service is installed already; remove it first with 'sysmanager recorder uninstall-service'.",
}

OnEnd = Callable[[Callable[[], None]], None]
"""Called with what ends it in order, from any thread."""


class Pywin32:
    """The modules of pywin32. Raises CommandError where they are not installed."""

    def __init__(self) -> None:
        try:
            self.service: Any = importlib.import_module("win32service")
            self.serviceutil: Any = importlib.import_module("win32serviceutil")
            self.servicemanager: Any = importlib.import_module("servicemanager")
            self.evtlogutil: Any = importlib.import_module("win32evtlogutil")
            self.error: type[Exception] = importlib.import_module("pywintypes").error
        except ImportError as error:
            raise CommandError(f"The library pywin32 can't be used ({error}); install System Manager again.") from error


class Ending:
    """Takes the order to end from the thread of the service manager to the Watchdog, whichever is there first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = False
        self._end: Callable[[], None] | None = None

    def on_end(self, end: Callable[[], None]) -> None:
        with self._lock:
            self._end, asked = end, self._asked
        if asked:
            end()

    def ask(self) -> None:
        """From any thread."""
        with self._lock:
            self._asked, end = True, self._end
        if end is not None:
            end()


def service_class(api: Pywin32, name: str, run: Callable[[OnEnd, Callable[[str], None]], int]) -> type:
    """What Windows runs. run: the Watchdog until it is told to end; gives the exit status, and tells sentences for the event log."""
    framework: Any = api.serviceutil.ServiceFramework

    class RecorderService(framework):  # type: ignore[misc]  # the library has no types
        _svc_name_ = name
        _svc_display_name_ = display_name(name)

        def __init__(self, args: Sequence[str]) -> None:
            super().__init__(args)
            self._ending = Ending()

        def GetAcceptedControls(self) -> int:
            return int(super().GetAcceptedControls()) | ACCEPT_PRESHUTDOWN

        def SvcStop(self) -> None:
            self._leave()

        def SvcShutdown(self) -> None:
            self._leave()

        def SvcOtherEx(self, control: int, event_type: int, data: object) -> None:
            if control == CONTROL_PRESHUTDOWN:
                self._leave()

        def SvcDoRun(self) -> None:
            status = run(self._ending.on_end, api.servicemanager.LogWarningMsg)
            if status != 0:
                # So that Windows counts it as a failure, and starts it again.
                self.ReportServiceStatus(api.service.SERVICE_STOPPED, 0, ERROR_SERVICE_SPECIFIC, status)

        def _leave(self) -> None:
            self.ReportServiceStatus(api.service.SERVICE_STOP_PENDING, STOP_MS)
            self._ending.ask()

    return RecorderService


def run_as_service(api: Pywin32, name: str, config: Path, before_speaking: Callable[[], object] = lambda: None) -> None:
    """Hand this process to the service manager; returns when the service has stopped. Raises CommandError."""
    from sysmanager.recorder.watchdog import run_watchdog

    def run(on_end: OnEnd, tell: Callable[[str], None]) -> int:
        return run_watchdog(config, on_end=on_end, tell=tell, before_speaking=before_speaking)

    try:
        api.servicemanager.Initialize(name, api.servicemanager.__file__)
        api.servicemanager.PrepareToHostSingle(service_class(api, name, run))
        api.servicemanager.StartServiceCtrlDispatcher()
    except api.error as error:
        raise _as_command_error(error) from error


def install(api: Pywin32, name: str, config: Path, account: str | None, *, start: bool = True) -> None:
    """Have Windows start it now and with the machine, again when it fails, and give it time at a shutdown. Raises CommandError.

    account: None for the one of the machine, which sees no mapped drive letters and no shares that ask for a user.
    """
    s = api.service
    try:
        manager = s.OpenSCManager(None, None, s.SC_MANAGER_ALL_ACCESS)
        try:
            handle = s.CreateService(
                manager,
                name,
                display_name(name),
                s.SERVICE_ALL_ACCESS,
                s.SERVICE_WIN32_OWN_PROCESS,
                s.SERVICE_AUTO_START,
                s.SERVICE_ERROR_NORMAL,
                command_line(name, config),
                None,
                0,
                None,
                account,
                None,
            )
            try:
                s.ChangeServiceConfig2(handle, CONFIG_DESCRIPTION, "Records the cameras of a VMS server: Watchdog and recording service.")
                restart = (ACTION_RESTART, RESTART_MS)
                actions = {"ResetPeriod": FORGIVEN_S, "RebootMsg": "", "Command": "", "Actions": (restart, restart, restart)}
                s.ChangeServiceConfig2(handle, CONFIG_FAILURE_ACTIONS, actions)
                s.ChangeServiceConfig2(handle, CONFIG_FAILURE_ACTIONS_FLAG, True)
                s.ChangeServiceConfig2(handle, CONFIG_PRESHUTDOWN_INFO, STOP_MS)
                api.evtlogutil.AddSourceToRegistry(name, api.servicemanager.__file__, "Application")
                if start:
                    s.StartService(handle, None)
            finally:
                s.CloseServiceHandle(handle)
        finally:
            s.CloseServiceHandle(manager)
    except api.error as error:
        raise _as_command_error(error) from error


def uninstall(api: Pywin32, name: str, *, wait: Callable[[float], None] = time.sleep) -> None:
    """Stop it in order, and forget it. What it recorded, and its data, stay. Raises CommandError."""
    s = api.service
    try:
        manager = s.OpenSCManager(None, None, s.SC_MANAGER_ALL_ACCESS)
        try:
            handle = s.OpenService(manager, name, s.SERVICE_ALL_ACCESS)
            try:
                if s.QueryServiceStatus(handle)[1] != s.SERVICE_STOPPED:
                    s.ControlService(handle, s.SERVICE_CONTROL_STOP)
                    _until_stopped(s, handle, name, wait)
                s.DeleteService(handle)
                api.evtlogutil.RemoveSourceFromRegistry(name, "Application")
            finally:
                s.CloseServiceHandle(handle)
        finally:
            s.CloseServiceHandle(manager)
    except api.error as error:
        raise _as_command_error(error) from error


def _until_stopped(s: Any, handle: Any, name: str, wait: Callable[[float], None]) -> None:
    for _ in range(round(STOP_MS / 1000 / LOOK_S)):
        if s.QueryServiceStatus(handle)[1] == s.SERVICE_STOPPED:
            return
        wait(LOOK_S)
    raise CommandError(f"The service {name} did not stop within {STOP_MS // 1000} s and was not removed; see its log, and try again.")


def command_line(name: str, config: Path) -> str:
    """What Windows starts. Raises CommandError in a virtual environment: its python.exe only starts another process."""
    if sys.prefix != sys.base_prefix:
        raise CommandError("Windows can't run a service from a virtual environment; install System Manager with its installer.")
    words = [sys.executable, "-X", "utf8", "-m", "sysmanager", "recorder", "--config", str(config), "--as-service", name]
    return subprocess.list2cmdline(words)


def display_name(name: str) -> str:
    return f"VMS server ({name})"


def _as_command_error(error: Exception) -> CommandError:
    """pywintypes.error has number, function and text."""
    number = error.args[0] if error.args else 0
    said = str(error.args[2]).rstrip(".") if len(error.args) > 2 else str(error)
    return CommandError(_SENTENCES.get(number, f"Windows answered: {said}."))
