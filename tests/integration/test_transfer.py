"""Material copy between recorders over TLS: whole, verified, never twice, and it goes on after every kind of end (SPEC 9)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import structlog
from msgspec.structs import replace

from sysmanager.domain.ids import Epoch, JobId, RecorderId
from sysmanager.domain.jobs import HOUR_MS, CopyProblem, MaterialHour
from sysmanager.protocol.jobs import HourState
from sysmanager.recorder.index import segments
from sysmanager.recorder.library import pieces, verify
from sysmanager.recorder.transfer import target as target_module
from sysmanager.recorder.transfer.certificates import host_name, source_context, target_context
from sysmanager.recorder.transfer.hours import Shelf, hours_of
from sysmanager.recorder.transfer.source import MaterialSource
from sysmanager.recorder.transfer.staging import FOLDER, dated_name, is_piece_of
from sysmanager.simulation.cameras.clip import Clip
from tests.helpers.footage import START_US, small_clip
from tests.helpers.pieces import put_piece
from tests.helpers.transferring import CAMERA, EPOCH, FO_1, JOB, KEY, OTHER_KEY, Transfer

EVER_MS = 10**14


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return small_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_module, "WAITS_S", (0.05,))
    monkeypatch.setattr(target_module, "BLOCK_BYTES", 512)
    monkeypatch.setattr("sysmanager.recorder.transfer.serving.RETRY_S", 0)


@pytest.fixture
async def transfer(tmp_path: Path, clip: Clip) -> AsyncIterator[Transfer]:
    made = Transfer(tmp_path)
    for number in range(3):
        put_piece(made.there, clip, 20, first=20 * number, recorder="FO-1", epoch=2)
    put_piece(made.there, clip, 15, first=15 * 3600, recorder="FO-1", epoch=2)
    put_piece(made.there, clip, 15, recorder="FO-1", epoch=9)
    await made.serve()
    yield made
    await made.close()


async def test_footage_comes_home_whole_verified_and_with_its_index(transfer: Transfer) -> None:
    await transfer.target.copy(transfer.order())
    assert await transfer.done() == [HourState.COPIED, HourState.COPIED]
    (here,) = transfer.here
    wanted = {name: content for name, content in transfer.files(transfer.there).items() if "_e2" in name}
    assert transfer.files(here) == wanted
    assert [hour.digest for hour in transfer.hours()] == [hour.digest for hour in transfer.order().hours]
    found = [verify(piece) for piece in pieces([here], (), 0, EVER_MS)]
    assert [(each.indexed, each.problem) for each in found] == [(True, "")] * 4
    assert [segment.name.recorder for segment in segments([here], CAMERA, 2)] == ["FO-1"] * 4
    report = transfer.target.report()
    assert report is not None
    assert report.written_bytes == sum(len(content) for content in wanted.values())
    await transfer.target.forget(JOB)
    assert transfer.target.report() is None
    assert not list((here / FOLDER).iterdir())
    assert transfer.files(here) == wanted


async def test_what_is_there_already_is_verified_and_not_fetched_again(transfer: Transfer) -> None:
    await transfer.target.copy(transfer.order())
    await transfer.done()
    await transfer.target.close()
    transfer.target = transfer.new_target()
    await transfer.stop_serving()
    await transfer.target.copy(transfer.order())
    assert await transfer.done() == [HourState.COPIED, HourState.COPIED]
    report = transfer.target.report()
    assert report is not None
    assert report.written_bytes == 0


async def test_after_the_end_of_the_target_it_goes_on_at_the_byte(transfer: Transfer) -> None:
    order = transfer.order(limit_kbps=200)
    await transfer.target.copy(order)
    total = sum(hour.size_bytes for hour in order.hours)

    def written() -> int:
        report = transfer.target.report()
        return report.written_bytes if report is not None else 0

    async with asyncio.timeout(20):
        while written() < 2_000:  # noqa: ASYNC110 - bytes are told once a second, and this waits for the first of them
            await asyncio.sleep(0.01)
    await transfer.target.close()
    before = written()
    assert before < total
    transfer.target = transfer.new_target()
    await transfer.target.copy(replace(order, limit_kbps=0))
    assert await transfer.done() == [HourState.COPIED, HourState.COPIED]
    assert before + written() == total


async def test_a_source_that_dies_is_waited_for_and_the_rest_is_fetched(transfer: Transfer) -> None:
    await transfer.stop_serving()
    await transfer.target.copy(transfer.order())

    def waits() -> bool:
        report = transfer.target.report()
        return report is not None and report.problem is CopyProblem.SOURCE_LOST

    await transfer.until(waits)
    await transfer.serve()
    assert await transfer.done() == [HourState.COPIED, HourState.COPIED]
    report = transfer.target.report()
    assert report is not None
    assert report.problem is None


async def test_an_hour_that_is_gone_or_differs_fails_and_the_others_are_copied(transfer: Transfer) -> None:
    order = transfer.order()
    first, second = order.hours
    gone = MaterialHour(first.hour - 5, (first.hour - 5) * HOUR_MS, (first.hour - 5) * HOUR_MS + 1, 1, 1, 1, "0" * 64)
    wrong = MaterialHour(first.hour, first.first_ms, first.last_ms, first.frames, first.pieces, first.size_bytes, "f" * 64)
    await transfer.target.copy(replace(order, hours=(gone, wrong, second)))
    assert await transfer.done() == [HourState.FAILED, HourState.FAILED, HourState.COPIED]
    assert [hour.problem for hour in transfer.hours()] == [CopyProblem.GONE, CopyProblem.MISMATCH, None]


async def test_a_piece_that_rots_on_the_way_is_fetched_again_and_given_up_after_three_times(
    transfer: Transfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = transfer.order()
    victim = sorted(path for path in transfer.there.rglob("*_e2.ts"))[0]
    victim.write_bytes(victim.read_bytes()[:-1] + b"\xaa")
    await transfer.target.copy(order)
    states = await transfer.done()
    assert states == [HourState.FAILED, HourState.COPIED]
    assert transfer.hours()[0].problem is CopyProblem.MISMATCH
    assert victim.name not in transfer.files(transfer.here[0])


async def test_a_full_disk_is_waited_for_and_recording_keeps_its_space(transfer: Transfer) -> None:
    transfer.minimum_free_bytes = 1 << 60
    transfer.target = transfer.new_target()
    await transfer.target.copy(transfer.order())

    def full() -> bool:
        report = transfer.target.report()
        return report is not None and report.problem is CopyProblem.DISK_FULL

    await transfer.until(full)
    assert not transfer.files(transfer.here[0])


async def test_it_fetches_nothing_while_recording_needs_more_and_goes_on_after(transfer: Transfer) -> None:
    transfer.source_busy = True
    await transfer.target.copy(transfer.order())
    await transfer.until(lambda: any(hour.state is HourState.COPYING for hour in transfer.hours()))
    assert not transfer.files(transfer.here[0])
    transfer.source_busy = False
    assert await transfer.done() == [HourState.COPIED, HourState.COPIED]


async def test_pause_stops_and_the_next_order_goes_on(transfer: Transfer) -> None:
    order = transfer.order(limit_kbps=100)
    await transfer.target.copy(order)
    await transfer.target.pause(JOB)
    report = transfer.target.report()
    assert report is not None
    assert report.paused
    await transfer.target.pause(JobId("J99999"))
    await transfer.target.copy(replace(order, limit_kbps=0))
    assert await transfer.done() == [HourState.COPIED, HourState.COPIED]


async def test_another_job_removes_what_the_last_one_left(transfer: Transfer) -> None:
    left = transfer.here[0] / FOLDER / "J00000"
    left.mkdir(parents=True)
    (left / "x.ts.part").write_bytes(b"x")
    await transfer.target.copy(transfer.order())
    await transfer.done()
    assert not left.exists()


# ---------------------------------------------------------------- who is let in


async def test_without_leave_nothing_is_served(transfer: Transfer) -> None:
    order = transfer.order()
    stale = transfer.with_token(order, lasts_s=-1)
    foreign = transfer.with_token(order, OTHER_KEY)
    wrong_epoch = replace(order, epoch=Epoch(9))
    url = f"{order.address}/material/1/REC-1/{{epoch}}/{CAMERA}/{order.hours[0].hour}"
    async with aiohttp.ClientSession() as session:

        async def status(token: str, epoch: int = EPOCH, scheme: str = "Bearer") -> int:
            headers = {"Authorization": f"{scheme} {token}"}
            address = url.format(epoch=epoch)
            async with session.get(address, headers=headers, ssl=target_context(KEY), server_hostname=host_name(FO_1)) as response:
                return response.status

        assert await status(order.token) == 200
        assert await status(order.token, scheme="Basic") == 401
        for bad in (stale.token, foreign.token, "", "1.2", "nonsense", f"{order.token}x"):
            assert await status(bad) == 401
        assert await status(wrong_epoch.token, 9) == 401


async def ask(source: MaterialSource) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{source.address}/", ssl=target_context(KEY), server_hostname=host_name(FO_1)),
    ):
        pass


async def test_who_speaks_no_tls_lets_the_source_load_nothing(tmp_path: Path) -> None:
    """As the self-test of a failover server, which looks every minute whether the port is open."""
    transfer = Transfer(tmp_path)
    await transfer.serve(prepared=False)
    source = transfer.source
    assert source is not None
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", transfer.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.read()
        writer.close()
    assert source._preparing is None
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(source)
    assert source._preparing is not None, "who speaks TLS is refused, and it is made beside the loop"
    await source._preparing
    made = source._certified
    await ask(source)
    await source.prepare()
    assert source._certified is made, "one for its life"
    await transfer.close()


async def test_a_copy_begins_though_its_source_was_started_anew_and_is_not_prepared(tmp_path: Path, clip: Clip) -> None:
    transfer = Transfer(tmp_path)
    put_piece(transfer.there, clip, 20, recorder="FO-1", epoch=2)
    await transfer.serve(prepared=False)
    await transfer.target.copy(transfer.order())
    assert await transfer.done() == [HourState.COPIED]
    await transfer.close()


async def test_a_certificate_that_cannot_be_made_is_said_and_not_tried_for_each_who_knocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfer = Transfer(tmp_path)
    (tmp_path / "data").write_text("in the way of the folder for the key", encoding="utf-8")
    with structlog.testing.capture_logs() as said:
        await transfer.serve(prepared=False)
        source = transfer.source
        assert source is not None
        for _ in range(3):
            with pytest.raises(aiohttp.ClientConnectorError):
                await ask(source)
            assert source._preparing is not None
            await source._preparing
    assert [line["event"] for line in said] == ["material is not served, no certificate can be made"]
    (tmp_path / "data").unlink()
    monkeypatch.setattr("sysmanager.recorder.transfer.source.AGAIN_S", 0.0)
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(source)
    await source._preparing
    await ask(source)
    await transfer.close()


async def test_a_range_beyond_the_end_a_strange_name_and_a_strange_camera_are_refused(transfer: Transfer) -> None:
    order = transfer.order()
    base = f"{order.address}/material/1/REC-1/{EPOCH}"
    hour = order.hours[0].hour
    name = sorted(path.name for path in transfer.there.rglob("*_e2.ts"))[0]
    async with aiohttp.ClientSession() as session:

        async def status(path: str, range_: str = "bytes=0-") -> int:
            headers = {"Authorization": f"Bearer {order.token}", "Range": range_}
            async with session.get(f"{base}/{path}", headers=headers, ssl=target_context(KEY), server_hostname=host_name(FO_1)) as response:
                return response.status

        assert await status(f"{CAMERA}/{hour}/{name}") == 206
        assert await status(f"{CAMERA}/{hour}/{name}", "bytes=99999999-") == 416
        assert await status(f"{CAMERA}/{hour}/{name}", "lines=1-") == 416
        assert await status(f"{CAMERA}/{hour}/..%2f..%2fsecret") == 404
        assert await status(f"..%2f..%2fetc/{hour}") == 404


async def test_a_source_of_another_site_or_another_name_is_not_believed(tmp_path: Path, clip: Clip) -> None:
    for key, recorder in ((OTHER_KEY, FO_1), (KEY, RecorderId("FO-2"))):
        transfer = Transfer(tmp_path)
        put_piece(transfer.there, clip, 20, recorder="FO-1", epoch=2)
        await transfer.serve(key, recorder)
        await transfer.target.copy(transfer.order())

        def lost(transfer: Transfer = transfer) -> bool:
            report = transfer.target.report()
            return report is not None and report.problem is CopyProblem.SOURCE_LOST

        await transfer.until(lost)
        assert not transfer.files(transfer.here[0])
        await transfer.close()


async def test_pieces_of_two_days_that_begin_at_the_same_time_of_day_come_home_both(tmp_path: Path, clip: Clip) -> None:
    """Their files have the same name, in the folders of two days."""
    transfer = Transfer(tmp_path)
    day_us = 86_400_000_000
    for day in range(2):
        put_piece(transfer.there, clip, 20, recorder="FO-1", epoch=2, shift_us=day * day_us)
        put_piece(transfer.there, clip, 20, first=20, recorder="FO-1", epoch=2, shift_us=day * day_us)
    await transfer.serve()
    await transfer.target.copy(transfer.order())
    assert await transfer.done() == [HourState.COPIED] * 2
    names = [{str(path.relative_to(disk)) for path in disk.rglob("*.ts")} for disk in (transfer.there, transfer.here[0])]
    assert names[0] == names[1]
    assert len(names[0]) == 4
    await transfer.close()


def test_certificates_of_one_site_trust_one_another_and_say_who_they_are(tmp_path: Path) -> None:
    context = source_context(KEY, FO_1, tmp_path / "data")
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert list((tmp_path / "data").iterdir()) == [], "the private key lies in no file"
    assert target_context(KEY).check_hostname
    assert host_name(RecorderId("R" * 64)).count(".") >= 2
    assert all(len(label) <= 63 for label in host_name(RecorderId("R" * 64)).split("."))


# ---------------------------------------------------------------- hours and names


def test_an_hour_is_all_pieces_that_begin_in_it(tmp_path: Path, clip: Clip) -> None:
    transfer_disk = tmp_path / "disk"
    for number in range(3):
        put_piece(transfer_disk, clip, 20, first=20 * number, recorder="FO-1", epoch=2)
    put_piece(transfer_disk, clip, 15, first=15 * 3600, recorder="FO-1", epoch=2, indexed=False)

    fresh = Shelf([transfer_disk]).pieces(CAMERA, EPOCH)
    assert len(fresh) == 3, "a piece without a line in the index that was just written may still be open"
    found = hours_of(Shelf([transfer_disk], wall_s=lambda: 10**12).pieces(CAMERA, EPOCH))
    first_hour = START_US // 1000 // HOUR_MS
    assert [(hour.hour, hour.pieces, hour.frames) for hour in found] == [(first_hour, 3, 60), (first_hour + 1, 1, 15)]
    assert all(hour.sound for hour in found)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("101010.000_cam-001@FO-1_e2.ts", True),
        ("101010.000_cam-001@FO-1_e2-1.ts", True),
        ("101010.000_cam-002@FO-1_e2.ts", False),
        ("101010.000_cam-001@FO-1_e3.ts", False),
        ("../101010.000_cam-001@FO-1_e2.ts", False),
        ("101010.000_cam-001@FO-1_e2.ts.part", False),
        ("", False),
    ],
)
def test_a_source_may_name_pieces_of_what_was_asked_for_only(name: str, right: bool) -> None:
    assert is_piece_of(name, CAMERA, EPOCH) is right


def test_a_piece_that_begins_before_midnight_belongs_to_that_day() -> None:
    midnight_ms = 1_790_035_200_000
    name = dated_name("235959.990_cam-001@FO-1_e2.ts", midnight_ms + 5)
    assert name.start_ms == midnight_ms - 10
