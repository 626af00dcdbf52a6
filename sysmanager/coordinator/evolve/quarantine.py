"""Which servers are to be told to let a camera out of quarantine."""

from __future__ import annotations

from typing import assert_never

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.state import State


def apply(state: State, record: f.FactRecord, fact: f.QuarantineFact) -> None:
    known = state.releases.get(fact.recorder, ())
    match fact:
        case f.CameraReleased():
            state.releases[fact.recorder] = (*known, fact.camera)
        case f.ReleaseEnded():
            left = tuple(camera for camera in known if camera != fact.camera)
            if left:
                state.releases[fact.recorder] = left
            else:
                state.releases.pop(fact.recorder, None)
        case _:
            assert_never(fact)
