"""Bugs of the kind that the seeds found, planted again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from sysmanager.coordinator import decide, detection, heard, outstanding, reconcile, seen
from sysmanager.coordinator.state import View
from sysmanager.domain.recorder import Acting, Recorder

Patch = pytest.MonkeyPatch

COPIED = "a second server of the same id does not hide that the first is cut off"
SPOKE_FIRST = "a copy that speaks first after a restart does not hide that an acting server records"
KEPT = "restored to before two servers were taken in: who keeps cameras of another one gets its own back only by a failback"
NOT_HERE = "an acting server with the state of an earlier failover, and no documents in the cache: the replaced recorder has them"
KNOWS_LOST = "a replaced recorder that cannot save, and knows an order which the journal lost, stands down in the end"
MISSING = "documents that a failover found missing are fetched when the recorder is back, and the next one works"


def a_copy_is_believed_after_five_seconds(patch: Patch) -> None:
    right = seen.Seen.keep_row
    patch.setattr(seen.Seen, "keep_row", lambda self, row, timeout_s, now: right(self, row, 0, now))


def who_obeys_its_assignment_is_taken_for_the_copy(patch: Patch) -> None:
    patch.setattr(heard.Heard, "_alone_obeys", lambda self, message: False)


def missing_documents_are_not_asked_for_again(patch: Patch) -> None:
    patch.setattr(decide, "_doubt_cache", lambda view, seen, documents: None)


def cameras_of_another_one_pass_for_its_own(patch: Patch) -> None:
    patch.setattr(reconcile, "_has_anothers", lambda view, row, beat: False)


def missing_documents_are_asked_for_from_the_acting_server_alone(patch: Patch) -> None:
    patch.setattr(outstanding, "_from_home", lambda view, seen, row: ())


def what_the_journal_lost_is_refused_for_ever(patch: Patch) -> None:
    patch.setattr(decide, "_above_lost", lambda view, recorder, epoch, refusal: ())


def who_acts_for_another_is_not_protected(patch: Patch) -> None:
    right = detection.assess

    def assess(view: View, seen: seen.Seen, row: Recorder) -> detection.Assessment:
        judged = right(view, seen, row)
        return replace(judged, trigger=None) if isinstance(row.assignment, Acting) else judged

    patch.setattr(decide, "assess", assess)


PLANTED_FOUND: tuple[tuple[Callable[[Patch], None], str, set[str]], ...] = (
    (a_copy_is_believed_after_five_seconds, COPIED, {"never early"}),
    (who_obeys_its_assignment_is_taken_for_the_copy, SPOKE_FIRST, {"never early"}),
    (who_acts_for_another_is_not_protected, "the acting server breaks, then the next", {"who can take over does"}),
    (cameras_of_another_one_pass_for_its_own, KEPT, {"no camera vanishes"}),
    (missing_documents_are_asked_for_from_the_acting_server_alone, NOT_HERE, {"no camera left dark"}),
    (what_the_journal_lost_is_refused_for_ever, KNOWS_LOST, {"comes to rest"}),
    (missing_documents_are_not_asked_for_again, MISSING, {"ends"}),
)
