"""Bugs of the kind that the seeds found, planted again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sysmanager.coordinator import decide, seen

Patch = pytest.MonkeyPatch

COPIED = "a second server of the same id does not hide that the first is cut off"
MISSING = "documents that a failover found missing are fetched when the recorder is back, and the next one works"


def a_copy_is_believed_after_five_seconds(patch: Patch) -> None:
    right = seen.Seen.keep_row
    patch.setattr(seen.Seen, "keep_row", lambda self, row, timeout_s: right(self, row, 0))


def missing_documents_are_not_asked_for_again(patch: Patch) -> None:
    patch.setattr(decide, "_doubt_cache", lambda view, seen, documents: None)


PLANTED_FOUND: tuple[tuple[Callable[[Patch], None], str, set[str]], ...] = (
    (a_copy_is_believed_after_five_seconds, COPIED, {"never early"}),
    (missing_documents_are_not_asked_for_again, MISSING, {"ends"}),
)
