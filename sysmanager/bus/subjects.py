"""The subjects in use, and who may say what on them: see `bus.server_config` for the rights."""

import re

__all__ = [
    "ASK",
    "BEACON",
    "CHANGES",
    "EVERY_BEAT",
    "EVERY_PEER",
    "EVERY_REPORT",
    "EVERY_WATCHDOG",
    "LEAVING",
    "REQUEST",
    "SNAPSHOT",
    "STORE",
    "beat",
    "check_recorder_id",
    "documents",
    "order",
    "peer",
    "picture",
    "probe",
    "recorder_of",
    "report",
    "watchdog",
]

BEACON = "sm.beacon"
"""Coordinator → all; the coordinator hears it too, as its canary (SPEC 4)."""

ASK = "sm.ask"
"""Recorder → coordinator, request: may I record?"""

LEAVING = "sm.leaving"
"""Recorder → coordinator, request: I am about to be shut down or restarted."""

STORE = "sm.store"
"""Recorder → coordinator, large request: a document by its hash."""

REQUEST = "sm.request"
"""Client → coordinator, large request."""

SNAPSHOT = "sm.snapshot"
"""Client → coordinator, large request: all that a client may see."""

CHANGES = "sm.changes"
"""Coordinator → clients."""

EVERY_BEAT = "sm.beat.*"
EVERY_WATCHDOG = "sm.watchdog.*"
EVERY_PEER = "sm.peer.*"
EVERY_REPORT = "sm.report.*"

_RECORDER_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def check_recorder_id(recorder: str) -> str:
    """The id itself; `ValueError` when it can't be part of a subject."""
    if not _RECORDER_ID.fullmatch(recorder):
        raise ValueError(f"{recorder[:80]!r} is no recorder id: 1 to 64 letters, digits, '_' and '-'")
    return recorder


def beat(recorder: str) -> str:
    """Recording service → coordinator: heartbeats."""
    return f"sm.beat.{check_recorder_id(recorder)}"


def watchdog(recorder: str) -> str:
    """Watchdog → coordinator: its heartbeats, and what it says about the recording service."""
    return f"sm.watchdog.{check_recorder_id(recorder)}"


def report(recorder: str) -> str:
    """Recorder → coordinator: announcements, such as changed documents and first frames."""
    return f"sm.report.{check_recorder_id(recorder)}"


def order(recorder: str) -> str:
    """Coordinator → recorder, request."""
    return f"sm.order.{check_recorder_id(recorder)}"


def documents(recorder: str) -> str:
    """Coordinator → recorder, large request: a document."""
    return f"sm.documents.{check_recorder_id(recorder)}"


def probe(recorder: str) -> str:
    """Coordinator → recorder, request: do you reach this recorder, or these cameras?"""
    return f"sm.probe.{check_recorder_id(recorder)}"


def picture(recorder: str) -> str:
    """Coordinator → recorder, large request: the last picture of a camera."""
    return f"sm.picture.{check_recorder_id(recorder)}"


def peer(recorder: str) -> str:
    """Recorder → recorder, request: are you there, and do you record?"""
    return f"sm.peer.{check_recorder_id(recorder)}"


def recorder_of(subject: str) -> str:
    """The recorder id at the end of a subject; `ValueError` when there is none."""
    return check_recorder_id(subject.rpartition(".")[2])
