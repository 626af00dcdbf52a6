"""Processes of a site: found by their configuration, ended for certain, with what they inherit."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from sysmanager.app import inherited, paths
from sysmanager.app.errors import CommandError
from sysmanager.app.site.processes import Part, end_all, kill_all, last_line, strays

SLEEPER = "import sys, time; print('up', flush=True); time.sleep(600)"


def sleeper(*arguments: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", SLEEPER, *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return process


@pytest.mark.process
def test_strays_are_recorders_of_these_files_and_nothing_else(tmp_path: Path) -> None:
    config = tmp_path / "recorder.toml"
    stray = sleeper("recorder", "--config", str(config))
    others = [sleeper("recorder", "--config", str(tmp_path / "other.toml")), sleeper("edit", str(config))]
    try:
        assert [process.pid for process in strays([config])] == [stray.pid]
        found = strays([config])
        kill_all(found)
        end_all(found)
        assert not psutil.pid_exists(stray.pid)
        assert strays([config]) == []
        assert all(other.poll() is None for other in others)
    finally:
        for process in (stray, *others):
            process.kill()
            process.wait(5)


@pytest.mark.process
def test_what_does_not_end_is_killed() -> None:
    process = sleeper()
    end_all([psutil.Process(process.pid)], within_s=0.05)
    assert not psutil.pid_exists(process.pid)
    process.wait(5)


@pytest.mark.process
async def test_a_part_that_cannot_start_says_its_own_sentence(tmp_path: Path) -> None:
    part = await Part.start("cameras", ("cameras", "--count", "0"), tmp_path)
    with pytest.raises(CommandError, match=r"^cameras did not start: .*'0' is no whole number from 1 to 1000;"):
        await part.ready()
    await part.end()
    assert not part.running
    assert "'0' is no whole number from 1 to 1000" in await part.ended()


@pytest.mark.process
async def test_cameras_serve_say_where_and_end_when_told(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("not-on-a-command-line\n", encoding="utf-8")
    arguments = ("--count", "2", "--port", "0", "--authentication", "digest", "--user", "u", "--password-file", str(secret))
    part = await Part.start("cameras", ("cameras", *arguments, "--cache", str(tmp_path / "cache"), "--json"), tmp_path)
    try:
        said = await part.ready()
        assert said["cameras"] == {f"cam-00{n}": f"rtsp://127.0.0.1:{said['port']}/cam-00{n}" for n in (1, 2)}
        assert said["pid"] == part.pid
        assert "not-on-a-command-line" not in " ".join(psutil.Process(part.pid).cmdline())
        _, writer = await asyncio.open_connection("127.0.0.1", said["control_port"])
        writer.close()
        await writer.wait_closed()
    finally:
        await part.end()
    assert not part.running


def test_the_last_line_of_an_output(tmp_path: Path) -> None:
    file = tmp_path / "out.txt"
    assert last_line(file) == ""
    file.write_text("one\nsysmanager: It is broken.\n\n", encoding="utf-8")
    assert last_line(file) == "It is broken."


def test_owner_and_logs_are_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(inherited.OWNER, raising=False)
    monkeypatch.delenv(inherited.LOGS, raising=False)
    assert inherited.owner() == 0
    assert inherited.log_folder() == paths.log_folder()
    for name, value in inherited.handed_on(os.getpid(), tmp_path).items():
        monkeypatch.setenv(name, value)
    assert inherited.owner() == os.getpid()
    assert inherited.log_folder() == tmp_path
    monkeypatch.setenv(inherited.OWNER, "x")
    assert inherited.owner() == 0
