"""Material copies and drills as lines: what each does, waits for, or came to."""

from __future__ import annotations

import msgspec

from sysmanager.api import JobId, JobKind, JobPhase, JobRow
from sysmanager.ui.state.log import name_of
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.texts import duration_text

ENDED_SHOWN = 50
"""So many jobs that have ended are listed beside the open ones."""

_TONES: dict[JobPhase, Tone] = {JobPhase.READY: Tone.GOOD, JobPhase.FAILED: Tone.BAD, JobPhase.CANCELLED: Tone.MUTED}


class JobLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list of jobs. progress: from 0 to 1, None once it has ended."""

    id: JobId
    number: int
    kind: str
    servers: str
    state: str
    tone: Tone
    progress: float | None
    rate: str
    left: str
    started_ms: int


def job_lines(state: UiState) -> tuple[JobLine, ...]:
    """Open jobs first, then the last that ended."""
    rows = sorted(state.jobs.values(), key=lambda job: -job.number)
    ended = [job for job in rows if job.phase.ended][:ENDED_SHOWN]
    return tuple(_line(job, state) for job in (*(job for job in rows if not job.phase.ended), *ended))


def job_tone(job: JobRow) -> Tone:
    """Grey while it waits for something, blue while it moves, and how it ended."""
    if job.phase.ended:
        return _TONES[job.phase]
    return Tone.WARNING if job.resting else Tone.ACCENT


def _line(job: JobRow, state: UiState) -> JobLine:
    recorder, server = name_of(job.recorder, state), name_of(job.server, state)
    copies = job.kind is JobKind.COPY
    return JobLine(
        id=job.id,
        number=job.number,
        kind="Material copy" if copies else "Drill",
        servers=f"{server} → {recorder}" if copies else f"{server} for {recorder}",
        state=job.sentence,
        tone=job_tone(job),
        progress=None if job.phase.ended else job.percent / 100,
        rate=f"{job.rate_kbps / 8000:.1f} MB/s" if job.rate_kbps else "",
        left=duration_text(job.left_ms) if job.left_ms is not None else "",
        started_ms=job.started_ms,
    )
