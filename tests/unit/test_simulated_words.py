"""What a simulated server says once a second: repeating the last heartbeat gives what making it anew gives."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from sysmanager.domain.ids import CameraId, Epoch, InstanceId, RecorderId
from sysmanager.domain.instant import Instant
from sysmanager.protocol.practice import Fault
from sysmanager.protocol.preroll import KeepPreroll, PrerollBeat
from sysmanager.protocol.recorders import CameraBeat, CameraState
from sysmanager.recorder import machine as m
from sysmanager.simulation.said import Words

A = RecorderId("A")
IDENTITY = m.Identity(recorder=A, preroll_memory_mb=100, preroll_limit_s=30)
PERSISTED = m.first_persisted(A, InstanceId("A-1"), None, standby=True)
STANDBY = m.MachineState(identity=IDENTITY, persisted=PERSISTED, situation=m.Situation.STANDBY)
KEEPS = replace(STANDBY, preroll=KeepPreroll(epoch=Epoch(0), plan="p", parts=()))
RECORDS = replace(STANDBY, situation=m.Situation.RECORDING)


def said(words: Words, state: m.MachineState, second: int, faults: set[Fault]) -> Any:
    now = Instant(mono_ms=second * 1_000, wall_ms=1_000_000 + second * 1_000)
    cameras = (CameraBeat(CameraId("A-c1"), CameraState.RECORDING, 1, now.wall_ms),)
    return words.beat(state, second, now, cameras, (PrerollBeat(CameraId("B-c1"), second),), (None, None), faults)


@pytest.mark.parametrize("state", [STANDBY, KEEPS, RECORDS], ids=["on standby", "keeps pre-roll", "records"])
def test_a_heartbeat_that_is_repeated_is_the_one_that_would_be_made(state: m.MachineState) -> None:
    words = Words(A, "1.0.0")
    for second in range(1, 200):
        faults = {Fault.SELF_TEST} if second > 100 else set()
        assert said(words, state, second, faults) == said(Words(A, "1.0.0"), state, second, faults)
    assert said(words, RECORDS, 201, set()) == said(Words(A, "1.0.0"), RECORDS, 201, set())
