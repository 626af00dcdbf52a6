"""What a failback would do now: the same checks, what was changed meanwhile, and the gaps to expect (SPEC 8, 14.2)."""

from __future__ import annotations

from collections.abc import Mapping

from sysmanager.coordinator.failback import current_documents
from sysmanager.coordinator.failback_checks import checks
from sysmanager.coordinator.handing import singles
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.state import View
from sysmanager.domain.comparison import CHANGES_LIMIT, Change, Contents, compare
from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import CameraId
from sysmanager.domain.recorder import Recorder
from sysmanager.protocol import clients as c

Opened = Mapping[DocumentSet, Contents]
"""Documents whose content the engine could read from its cache."""

HAND_OVER_MS = 500
"""From the failover server's close to the recorder's attempt to open: two orders, each saved by its server."""

FIRST_FRAME_MS = 1_000
"""How long a camera takes for its first frame, where nobody measured it: the wait for a key frame."""

FIRST_FRAME_LIMIT_MS = 10_000


def documents_to_compare(view: View, entry: Failover | None) -> tuple[DocumentSet, ...]:
    """Whose content the preview of this entry needs; empty where nothing was changed, or nobody knows what."""
    home = view.recorders.get(entry.home) if entry is not None else None
    server = view.recorders.get(entry.server) if entry is not None and entry.server is not None else None
    if home is None or server is None or home.documents is None or server.documents is None:
        return ()
    return () if home.documents.same_content(server.documents) else (home.documents, server.documents)


def preview_failback(view: View, seen: Seen, entry: Failover, opened: Opened) -> c.Preview:
    """What a failback of this entry would do now."""
    found = checks(view, seen, entry)
    server = view.recorders.get(entry.server) if entry.server is not None else None
    gaps = expected_gaps(view, entry)
    changes = _changes(view, entry, opened)
    cameras = server.settings.cameras if server is not None else ()
    return c.Preview(
        allowed=not any(check.level is c.Level.STOP for check in found),
        checks=(*found, *_warnings(view, seen, entry, gaps, changes)),
        target=entry.home,
        moves=tuple(camera.id for camera in cameras if camera.moves),
        handed_over_singly=tuple(gaps),
        expected_gaps=tuple(c.ExpectedGap(camera=camera, gap_ms=gap_ms) for camera, gap_ms in gaps.items()),
        changes=(changes or ())[:CHANGES_LIMIT],
    )


def _warnings(view: View, seen: Seen, entry: Failover, gaps: Mapping[CameraId, int], changes: tuple[Change, ...] | None) -> list[c.Check]:
    home = view.recorders.get(entry.home)
    server = view.recorders.get(entry.server) if entry.server is not None else None
    sentences: list[str] = []
    if gaps:
        gap = f"for about {max(gaps.values()) / 1000:.1f} s while"
        many = f"{len(gaps)} cameras allow one session only; they change hands one by one, and each is dark {gap} it does."
        sentences.append(many if len(gaps) > 1 else f"1 camera allows one session only; it is dark {gap} it changes hands.")
    if home is not None and server is not None:
        sentences += _about_changes(view, seen, entry, home, server, changes)
    return [c.Check(level=c.Level.WARNING, sentence=sentence) for sentence in sentences]


def _about_changes(
    view: View, seen: Seen, entry: Failover, home: Recorder, server: Recorder, changes: tuple[Change, ...] | None
) -> list[str]:
    if current_documents(view, seen, entry) is None:
        return [f"The settings of {server.name} were changed a moment ago and are not in the cache yet; look again."]
    if changes is None:
        return [f"The settings may have been changed on {server.name} meanwhile; what exactly cannot be read from the cache."]
    if not changes:
        return []
    beyond = f"; the first {CHANGES_LIMIT} are listed" if len(changes) > CHANGES_LIMIT else ""
    times = "1 change was" if len(changes) == 1 else f"{len(changes)} changes were"
    return [f"{times} made on {server.name} meanwhile{beyond}; {home.name} gets the settings as they are now."]


def _changes(view: View, entry: Failover, opened: Opened) -> tuple[Change, ...] | None:
    """What was changed since the recorder was replaced; None where that cannot be said."""
    home = view.recorders.get(entry.home)
    if home is None or home.documents is None:
        return None
    wanted = documents_to_compare(view, entry)
    if not wanted:
        return ()
    before, after = (opened.get(documents) for documents in wanted)
    return compare(before, after) if before is not None and after is not None else None


def expected_gaps(view: View, entry: Failover) -> dict[CameraId, int]:
    """Cameras that allow one session only, each with the gap to expect in milliseconds, from how fast it was in the failover."""
    measured = {gap.camera: gap.first_after_ms - entry.timeline.saved_ms for gap in entry.gaps if gap.first_after_ms}
    gaps = {}
    for camera in singles(view, entry):
        first_frame_ms = measured.get(camera, FIRST_FRAME_MS)
        gaps[camera] = HAND_OVER_MS + min(max(first_frame_ms, 0), FIRST_FRAME_LIMIT_MS)
    return gaps
