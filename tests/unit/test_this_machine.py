"""Which machine this is, and what it is made of: asked of the system, never failing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sysmanager import thismachine
from sysmanager.domain.ids import RecorderId
from sysmanager.protocol.hardware import Hardware
from sysmanager.recorder import hardware
from sysmanager.recorder.machine import Identity
from sysmanager.thismachine import machine_id


def test_the_same_machine_says_the_same_and_not_what_it_was_made_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "machine-id"
    file.write_text("4711\n", encoding="utf-8")
    monkeypatch.setattr(thismachine, "_FILES", (tmp_path / "missing", file))
    found = machine_id()
    assert found == machine_id()
    assert len(found) == 32
    assert "4711" not in found
    file.write_text("4712\n", encoding="utf-8")
    assert machine_id() != found


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xff"], ids=["empty", "no text"])
def test_without_anything_better_the_network_card_counts(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "machine-id"
    file.write_bytes(content)
    monkeypatch.setattr(thismachine, "_FILES", (file,))
    monkeypatch.setattr(thismachine.uuid, "getnode", lambda: 1)
    first = machine_id()
    monkeypatch.setattr(thismachine.uuid, "getnode", lambda: 2)
    assert machine_id() != first


def test_the_identity_of_a_recorder_says_where_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = hardware.this_machine(Identity(recorder=RecorderId("A")))
    assert found.hardware.cores > 0
    assert found.hardware.memory_mb > 0
    assert found.machine == machine_id()

    def fails() -> None:
        raise OSError("no such thing")

    monkeypatch.setattr(hardware.psutil, "virtual_memory", fails)
    assert hardware.this_hardware().memory_mb == 0


def test_more_cores_count_first_then_more_memory() -> None:
    assert Hardware(8, 8_192).rating > Hardware(4, 512_000).rating > Hardware(4, 8_192).rating
    assert Hardware(0, 999 * 1024).rating == Hardware(0, 5_000_000).rating, "memory alone never outweighs a core"
