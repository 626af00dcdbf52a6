"""The bundled NATS server as a child process."""

import asyncio
import json
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from sysmanager.bus import server as bus_server
from sysmanager.bus.credentials import BusUser, load_credentials
from sysmanager.bus.nats import NatsBus
from sysmanager.bus.port import Message, NoAnswer, NoAnswerKind
from sysmanager.bus.server import BusPortInUse, BusServer, BusServerFailed, BusServerMissing
from sysmanager.bus.server_config import EnrolmentFirst
from sysmanager.recorder.service_process import is_alive

pytestmark = pytest.mark.process

PARENT = """
import asyncio, sys
from pathlib import Path
from sysmanager.bus.server import BusServer

async def main():
    credentials = await BusServer(Path(sys.argv[1])).start()
    print(credentials.url, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[BusServer]:
    server = BusServer(tmp_path / "bus")
    await server.start()
    yield server
    await server.close()


async def connected(server: BusServer, user: BusUser) -> NatsBus:
    bus = NatsBus(load_credentials(server.credentials_path), user, user.value)
    assert await bus.open(wait_ms=5000)
    return bus


def nats_process(server: BusServer) -> psutil.Process:
    return psutil.Process(int((server.folder / "nats.pid").read_text(encoding="ascii")))


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError("the condition never came true")


async def test_files_are_private_and_passwords_not_on_a_command_line(server: BusServer) -> None:
    credentials = load_credentials(server.credentials_path)
    if sys.platform != "win32":
        for path in (server.credentials_path, server.folder / "nats.conf"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    process = nats_process(server)
    for line in (process.cmdline(), psutil.Process(process.ppid()).cmdline()):
        for password in credentials.users.values():
            assert password not in " ".join(line)
    listening = [connection.laddr for connection in process.net_connections() if connection.status == psutil.CONN_LISTEN]
    assert [(address.ip, address.port) for address in listening] == [("127.0.0.1", credentials.port)]


async def test_each_user_has_its_own_rights(server: BusServer) -> None:
    coordinator, recorder, client = [await connected(server, user) for user in BusUser]
    heard: list[str] = []
    await coordinator.subscribe("sm.>", lambda message: heard.append(message.subject))
    forbidden = {
        recorder: ["sm.beacon", "sm.order.r2", "sm.documents.r2", "sm.request", "sm.snapshot", "sm.changes", "_INBOX_coordinator.x"],
        client: ["sm.beacon", "sm.order.r2", "sm.beat.r1", "sm.watchdog.r1", "sm.report.r1", "sm.changes", "sm.ask", "sm.store"],
    }
    allowed = {
        recorder: ["sm.beat.r1", "sm.watchdog.r1", "sm.report.r1", "sm.ask", "sm.store"],
        client: ["sm.request", "sm.snapshot"],
    }
    for bus, subjects in forbidden.items():
        for subject in subjects:
            await bus.publish(subject, b"forbidden")
    for bus, subjects in allowed.items():
        for subject in subjects:
            await bus.publish(subject, b"allowed")
    await until(lambda: len(heard) >= 7)
    assert sorted(heard) == sorted(allowed[recorder] + allowed[client])
    for bus in (coordinator, recorder, client):
        await bus.close()


async def test_recorder_answers_orders_and_cannot_listen_to_others(server: BusServer) -> None:
    coordinator, recorder, client = [await connected(server, user) for user in BusUser]
    overheard: list[Message] = []

    async def echo(message: Message) -> bytes:
        return b"done " + message.body

    for bus in (recorder, client):
        for subject in ("sm.beat.*", "sm.request", "_INBOX_coordinator.>"):
            await bus.subscribe(subject, overheard.append)
    await client.subscribe("sm.order.r1", overheard.append)
    await recorder.serve("sm.order.r1", echo)
    await coordinator.serve("sm.request", echo)
    await coordinator.serve("sm.ask", echo)
    assert await coordinator.request("sm.order.r1", b"1", 5000) == b"done 1"
    assert await client.request("sm.request", b"2", 5000) == b"done 2"
    assert await recorder.request("sm.ask", b"3", 5000) == b"done 3"
    assert overheard == []
    for bus in (coordinator, recorder, client):
        await bus.close()


async def test_wrong_password_is_refused_and_tried_on(server: BusServer) -> None:
    credentials = load_credentials(server.credentials_path)
    wrong = NatsBus(type(credentials)(url=credentials.url, users={"client": "wrong"}), BusUser.CLIENT, "wrong")
    assert not await wrong.open(wait_ms=300)
    with pytest.raises(NoAnswer) as caught:
        await wrong.request("sm.request", b"", 100)
    assert caught.value.kind is NoAnswerKind.DISCONNECTED
    await wrong.close()


async def test_killed_server_comes_back_and_clients_with_their_subscriptions(server: BusServer) -> None:
    coordinator, recorder = await connected(server, BusUser.COORDINATOR), await connected(server, BusUser.RECORDER)
    changes: list[bool] = []
    heard: list[bytes] = []
    coordinator.on_connection(changes.append)
    await coordinator.subscribe("sm.beat.*", lambda message: heard.append(message.body))
    nats_process(server).kill()
    await until(lambda: changes == [False])
    await recorder.publish("sm.beat.r1", b"lost")
    await until(lambda: changes == [False, True] and recorder.connected)
    await recorder.publish("sm.beat.r1", b"heard")
    await until(lambda: bool(heard))
    assert heard == [b"heard"]
    for bus in (coordinator, recorder):
        await bus.close()


@pytest.mark.skipif(sys.platform == "win32", reason="no process can be stopped there")
@pytest.mark.parametrize("stopped", ["the server", "its guard, and the server is killed"])
async def test_a_server_that_hangs_is_started_again(server: BusServer, stopped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_server, "LOOK_S", 0.05)
    await server.close()
    await server.start()
    coordinator = await connected(server, BusUser.COORDINATOR)
    changes: list[bool] = []
    coordinator.on_connection(changes.append)
    back = asyncio.Event()
    coordinator.on_connection(lambda there: back.set() if there else None)
    process = nats_process(server)
    guard = process.parent()
    assert guard is not None
    if stopped == "the server":
        process.suspend()
    else:
        guard.suspend()
        process.kill()
    async with asyncio.timeout(60):
        await back.wait()
    assert changes == [False, True]
    assert not guard.is_running()
    assert nats_process(server).pid != process.pid
    await coordinator.close()


async def test_a_request_is_given_up_when_the_server_is_killed(server: BusServer) -> None:
    """Not only when its time is over: people wait for it."""
    coordinator, client = await connected(server, BusUser.COORDINATOR), await connected(server, BusUser.CLIENT)
    asked = asyncio.Event()

    async def never(message: Message) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    await coordinator.serve("sm.request", never)
    asking = asyncio.ensure_future(client.request("sm.request", b"", 600_000))
    async with asyncio.timeout(10):
        await asked.wait()
        nats_process(server).kill()
        with pytest.raises(NoAnswer) as caught:
            await asking
    assert caught.value.kind is NoAnswerKind.LOST
    for bus in (coordinator, client):
        await bus.close()


async def test_bus_may_be_opened_and_used_before_the_server_is_there(tmp_path: Path) -> None:
    first = BusServer(tmp_path / "bus")
    credentials = await first.start()
    await first.close()
    bus = NatsBus(credentials, BusUser.COORDINATOR, "early")
    assert not await bus.open()
    heard: list[bytes] = []
    await bus.subscribe("sm.beacon", lambda message: heard.append(message.body))
    second = BusServer(tmp_path / "bus")
    assert await second.start() == credentials
    await until(lambda: bus.connected)
    await bus.publish("sm.beacon", b"1")
    await until(lambda: heard == [b"1"])
    await bus.close()
    await second.close()


async def test_port_in_use_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysmanager.bus.server.PORT_WAIT_S", 0.05)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BusPortInUse, match=f"Port {port} on 127.0.0.1, which the bus needs, is in use by another program"):
            await BusServer(tmp_path / "bus", port=port).start()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org", ""])
async def test_other_addresses_need_enrolment_first(tmp_path: Path, host: str) -> None:
    with pytest.raises(EnrolmentFirst, match="enrolled"):
        await BusServer(tmp_path / "bus", host=host).start()
    assert not (tmp_path / "bus").exists()


async def test_missing_program_and_unusable_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BusServerMissing, match="There is no nats-server program at"):
        await BusServer(tmp_path / "bus", binary=tmp_path / "none").start()
    monkeypatch.setenv("SYSMANAGER_NATS_SERVER", str(tmp_path / "named"))
    with pytest.raises(BusServerMissing, match="named"):
        await BusServer(tmp_path / "bus").start()
    monkeypatch.delenv("SYSMANAGER_NATS_SERVER")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BusServerFailed, match="can't use the folder"):
        await BusServer(tmp_path / "file" / "bus").start()


async def test_program_that_is_no_server(tmp_path: Path) -> None:
    with pytest.raises(BusServerFailed, match="did not start"):
        await BusServer(tmp_path / "bus", binary=Path(sys.executable)).start()


async def test_closed_server_is_gone(tmp_path: Path) -> None:
    server = BusServer(tmp_path / "bus")
    await server.start()
    process = nats_process(server)
    await server.close()
    await server.close()
    assert not process.is_running()


@pytest.mark.parametrize("guard_too", [False, True])
async def test_restart_after_a_kill_has_the_same_address_and_passwords(tmp_path: Path, guard_too: bool) -> None:
    """Without its guard, which is killed too in the second case, the old server lives on until the new start ends it."""
    folder = tmp_path / "bus"
    server = BusServer(folder)
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, str(folder), stdout=subprocess.PIPE)
    assert parent.stdout is not None
    try:
        url = ""
        while not url.startswith("nats://"):  # the log's line comes first
            url = (await parent.stdout.readline()).decode().strip()
        before = load_credentials(server.credentials_path)
        assert before.url == url
        process = nats_process(server)
        guard = psutil.Process(process.ppid())
        if guard_too:
            guard.kill()
            await until(lambda: not is_alive(guard))
            assert process.is_running()
    finally:
        parent.kill()
        await parent.wait()
    if not guard_too:
        await until(lambda: not process.is_running())
    assert await server.start() == before
    assert not process.is_running()
    bus = await connected(server, BusUser.RECORDER)
    await bus.close()
    await server.close()


async def test_config_is_what_the_server_reads(server: BusServer) -> None:
    config = json.loads((server.folder / "nats.conf").read_bytes())
    assert config["listen"].startswith("127.0.0.1:")
    assert config["max_payload"] == 256 * 1024
