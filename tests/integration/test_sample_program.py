"""Other programs need `sysmanager.api` and nothing else of ours (SPEC 17)."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.command_line import LiveSite, Machine, stop

PROGRAM = Path(__file__).with_name("sample_program.py")
LINES_LIMIT = 60


def test_it_uses_the_public_interface_and_the_standard_library_alone() -> None:
    text = PROGRAM.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES_LIMIT
    imported = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    ours = {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names}
    assert ours == {"sysmanager.api"}


@pytest.mark.process
@pytest.mark.timeout(90)
async def test_it_fails_a_recorder_over_and_back(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "home")
    machine.home.mkdir()
    site = LiveSite(machine, tmp_path / "data")
    await site.open()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(PROGRAM),
            str(site.credentials),
            "A",
            "A-c1",
            env=machine.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            said = (await process.communicate())[0].decode("utf-8")
        assert process.returncode == 0, said
        lines = said.splitlines()
        assert "Server A: connected, ready" in lines
        assert "Failover of Server A to Server F started." in lines
        assert "recorded by F" in lines
        assert lines[-1].endswith("Failback ready")
    finally:
        await site.close()
        await stop(site.process)
        await machine.end()
