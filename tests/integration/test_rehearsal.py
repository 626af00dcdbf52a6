"""The rehearsal of a real site: real processes, real streams, a real kill; and that a site leaves nothing running."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from sysmanager.app.site.report import Report
from sysmanager.domain.failover import Phase, Trigger
from sysmanager.recorder.export import export
from sysmanager.recorder.library import pieces
from tests.helpers.pieces import mp4_numbers

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]


async def started(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sysmanager", "site", *arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def left_of(folder: Path) -> list[str]:
    """Command lines of processes that name something in the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if str(folder) in line and process.pid != os.getpid():
            found.append(line)
    return found


async def until(condition: Callable[[], bool], seconds: float) -> None:
    for _ in range(round(seconds * 10)):
        if condition():
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the condition never came true")


@pytest.mark.timeout(150)
async def test_a_rehearsal_goes_right_and_says_what_it_measured(tmp_path: Path) -> None:
    folder, file = tmp_path / "site", tmp_path / "report.json"
    site = await started(str(folder), "--cameras", "4", "--rehearse", str(file))
    try:
        async with asyncio.timeout(120):
            output = (await site.communicate())[0].decode("utf-8")
    finally:
        if site.returncode is None:
            site.kill()
            await site.wait()
    assert site.returncode == 0, output
    assert "all is right" in output
    assert left_of(folder) == []

    report = msgspec.json.decode(file.read_bytes(), type=Report)
    entry = report.entry
    assert (entry.recorder, entry.server, entry.phase, entry.trigger) == ("REC-1", "FO-1", Phase.RETURNED, Trigger.CONNECTION)
    assert [step.number for step in entry.steps] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert entry.moved == ("cam-001", "cam-003")
    assert [each.camera for each in report.cameras] == ["cam-001", "cam-002", "cam-003", "cam-004"]
    for camera in report.cameras:
        assert (camera.gap is not None) is (camera.seam is not None) is (camera.recorder == "REC-1")
        if camera.gap is None or camera.seam is None:
            assert [(stint.recorder, stint.epoch) for stint in camera.stints] == [("REC-2", 0)]
            continue
        assert entry.failback is not None
        assert {(stint.recorder, stint.epoch) for stint in camera.stints} == {
            ("REC-1", entry.previous_epoch),
            ("FO-1", entry.epoch),
            ("REC-1", entry.failback.epoch),
        }
        assert camera.gap.final
        # The timeout is 10 s of silence, and heartbeats come once a second. What follows takes its time on a busy machine.
        assert 8_900 <= camera.gap.detection_ms <= 13_000
        assert camera.gap.gap_ms <= 20_000
        assert camera.seam.overlap_ms >= -67
    moments = msgspec.to_builtins(report.moments)
    order = ["started_ms", "recording_ms", "killed_ms", "ready_ms", "restarted_ms", "measured_ms", "failback_ms", "returned_ms"]
    assert [moments[name] for name in order] == sorted(moments[name] for name in order)
    assert report.machine.processors >= 1
    assert 0 < report.machine.load_percent <= 100

    # The checker believes nobody: the same footage against a report with another gap.
    wrong = json.loads(file.read_bytes())
    wrong["cameras"][0]["gap"]["gap_ms"] += 150
    file.write_text(json.dumps(wrong), encoding="utf-8")
    checker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sysmanager.app.site.footage_check", str(folder), str(file)),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert "cam-001: the report states a gap of" in (await checker.communicate())[1].decode("utf-8")
    assert checker.returncode == 1


@pytest.mark.timeout(180)
async def test_with_pre_roll_no_frame_is_missing_and_the_joined_footage_has_each_once(tmp_path: Path) -> None:
    folder, file = tmp_path / "site", tmp_path / "report.json"
    site = await started(str(folder), "--cameras", "4", "--pre-roll", "--rehearse", str(file))
    try:
        async with asyncio.timeout(150):
            output = (await site.communicate())[0].decode("utf-8")
    finally:
        if site.returncode is None:
            site.kill()
            await site.wait()
    assert site.returncode == 0, output
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    disks = [folder / machine / disk for machine in ("REC-1", "FO-1") for disk in ("disk-d", "disk-e")]
    for camera in report.cameras:
        if camera.gap is None:
            continue
        assert camera.gap.gap_ms < 0, "the footage of the failover server begins before that of the recorder ends"
        (done,) = export(list(pieces(disks, [camera.camera], 0, 10**14)), tmp_path / f"{camera.camera}.mp4", 0, 10**14)
        numbers = mp4_numbers(done.file)
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert {run.recorder for run in done.runs} == {"REC-1", "FO-1"}
        assert {run.seam for run in done.runs} == {"start", "same frames"}


@pytest.mark.timeout(120)
async def test_nothing_survives_a_site_that_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    site = await started(str(folder), "--cameras", "2")
    try:
        services = [folder / name / "data" / "service.json" for name in ("REC-1", "REC-2", "FO-1")]
        await until(lambda: all(service.exists() for service in services), 60)
    finally:
        site.kill()
        await site.communicate()
    await until(lambda: not left_of(folder), 30)


@pytest.mark.timeout(120)
@pytest.mark.skipif(sys.platform == "win32", reason="there the end is asked for through the console")
async def test_a_site_that_is_told_to_end_while_it_starts_ends_all_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    site = await started(str(folder), "--cameras", "2")
    try:
        await until(lambda: any("REC-1" in line for line in left_of(folder)), 60)
        site.send_signal(signal.SIGTERM)
        async with asyncio.timeout(40):
            await site.communicate()
    finally:
        if site.returncode is None:
            site.kill()
            await site.wait()
    assert site.returncode == 0
    assert left_of(folder) == []
