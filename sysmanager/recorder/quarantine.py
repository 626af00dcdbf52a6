"""Which camera is to blame for crashes of the recording service, and for how long it stays closed (SPEC 16).

Pure; what was under way at a crash comes as an argument, and time as milliseconds that went by while the service ran.

A crash has one suspect or many. Each was in it; nobody is convicted by that alone, because 32 cameras that are opened at once are 32
suspects. They are opened in a few groups at the next start, and who is in a second crash is opened alone, so that soon a crash has one
suspect: who alone was in an earlier crash, too, is quarantined. One poisonous stream never stops the others.

A picture that was being decoded says nothing against recording its stream: the camera is recorded, and no picture of it is decoded for a
time that grows with each such crash.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from sysmanager.domain.ids import CameraId

MINUTE_MS = 60_000
TERMS_MS = (2 * MINUTE_MS, 10 * MINUTE_MS, 60 * MINUTE_MS, 6 * 60 * MINUTE_MS, 24 * 60 * MINUTE_MS)
"""How long a quarantine lasts, the first time and every further time."""

WELL_MS = 10 * MINUTE_MS
"""A suspect that ran well for so long is cleared; after a quarantine it takes as long as that lasted, if that is longer."""

BLIND_MS = (10 * MINUTE_MS, 60 * MINUTE_MS, 6 * 60 * MINUTE_MS, 24 * 60 * MINUTE_MS)
"""For how long no picture is decoded, after the first crash at that and after every further one."""

GROUPS = 6
"""In so many groups suspects of one crash are opened, one group after the other: all of them are there within some ten seconds."""

CASES_LIMIT = 4096

replace = msgspec.structs.replace


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """A camera whose stream was being opened or decoded when the service crashed. mark: of its address and credentials.

    decoding: only a picture of it was, while its stream ran.
    """

    camera: CameraId
    mark: str
    decoding: bool = False


class Case(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is held against a camera, under the settings that `mark` stands for.

    crashes: in how many its stream was being opened; 0: it is opened like any other. terms: how often it was quarantined.
    left_ms: of its quarantine; 0: it is open, and opened with care. well_ms: how long it has run well since.
    decodings: in how many crashes a picture of it was being decoded. blind_ms: for how long none is decoded now.
    """

    camera: CameraId
    mark: str
    crashes: int = 1
    terms: int = 0
    left_ms: int = 0
    well_ms: int = 0
    decodings: int = 0
    blind_ms: int = 0

    @property
    def quarantined(self) -> bool:
        return self.left_ms > 0

    @property
    def term_ms(self) -> int:
        """How long its last quarantine was, or is; 0 if there was none."""
        return TERMS_MS[min(self.terms, len(TERMS_MS)) - 1] if self.terms else 0

    @property
    def blind_term_ms(self) -> int:
        """For how long no picture of it is, or was, decoded after the last such crash; 0 if there was none."""
        return BLIND_MS[min(self.decodings, len(BLIND_MS)) - 1] if self.decodings else 0

    @property
    def clear_ms(self) -> int:
        """How long it must run well until nothing is held against it."""
        return max(WELL_MS, self.term_ms, self.blind_term_ms)


Cases = Mapping[CameraId, Case]


def after_crash(cases: Cases, suspects: Iterable[Suspect]) -> dict[CameraId, Case]:
    """What is held against whom after a crash in which these streams were being opened or decoded."""
    suspects = tuple(suspects)
    marks = {suspect.camera: suspect.mark for suspect in suspects}
    out = {camera: case for camera, case in cases.items() if marks.get(camera, case.mark) == case.mark}
    opening = {suspect.camera for suspect in suspects if not suspect.decoding}
    known = {camera for camera in opening if camera in out and out[camera].crashes}
    for camera, mark in marks.items():
        case = out.get(camera) or Case(camera=camera, mark=mark, crashes=0)
        if camera in opening:
            out[camera] = replace(case, crashes=case.crashes + 1, well_ms=0)
        else:
            case = replace(case, decodings=case.decodings + 1, well_ms=0)
            out[camera] = replace(case, blind_ms=case.blind_term_ms)
    if len(known) == 1:
        (camera,) = known
        case = replace(out[camera], terms=out[camera].terms + 1)
        out[camera] = replace(case, left_ms=case.term_ms)
    return dict(list(out.items())[-CASES_LIMIT:])


def time_passed(cases: Cases, passed_ms: int, well: Collection[CameraId]) -> dict[CameraId, Case]:
    """The cases after so much time in which the service ran. well: cameras whose stream ran well all of it."""
    out: dict[CameraId, Case] = {}
    for camera, case in cases.items():
        if case.quarantined or case.blind_ms:
            out[camera] = replace(case, left_ms=max(0, case.left_ms - passed_ms), blind_ms=max(0, case.blind_ms - passed_ms))
        elif camera not in well:
            out[camera] = case
        elif case.well_ms + passed_ms < case.clear_ms:
            out[camera] = replace(case, well_ms=case.well_ms + passed_ms)
    return out


def without(cases: Cases, camera: CameraId) -> dict[CameraId, Case]:
    """Nothing is held against the camera any more: a person released it, or its settings are others now."""
    return {other: case for other, case in cases.items() if other != camera}


def alone(case: Case) -> bool:
    """Whether this suspect is opened while no other one is; those of one crash only are opened in groups."""
    return case.crashes > 1


def room(cases: Cases) -> int:
    """How many suspects that need not be alone may be opened at a time."""
    suspects = sum(1 for case in cases.values() if case.crashes and not case.quarantined and not alone(case))
    return max(1, -(-suspects // GROUPS))


def quarantine_sentence(case: Case, name: str) -> str:
    """Why the camera is not recorded, and what to do."""
    times = "twice" if case.crashes == 2 else f"{case.crashes} times"
    return (
        f"{name} is quarantined for {_span(case.term_ms)}: the recording service crashed {times} while it opened or decoded the stream of "
        "this camera. Check the camera's firmware and its stream settings; it is tried again after that time, when its address or password "
        f"is changed, or when you release it: in this list, or with 'sysmanager recorder release {case.camera}' on the server."
    )


def no_picture_sentence(case: Case, name: str) -> str:
    """Why no picture of the camera is decoded now, while it is recorded as its schedule says, and what to do."""
    if case.blind_ms:
        return (
            f"Pictures of {name} are not decoded for {_span(case.blind_ms)}: the recording service crashed while it decoded one. "
            "Its recording goes on. Check the camera's stream settings, or release it: "
            f"'sysmanager recorder release {case.camera}' on the server."
        )
    return (
        f"Pictures of {name} are not decoded yet: its stream was being opened when the recording service crashed. "
        "Try again when it has been recorded for 10 s."
    )


def _span(span_ms: int) -> str:
    minutes = -(-span_ms // MINUTE_MS)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h"
