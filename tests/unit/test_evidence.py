"""Evidence locks: durable, complete or refused with a sentence; never forgotten (SPEC 16)."""

from __future__ import annotations

from pathlib import Path

import pytest

from sysmanager.domain.ids import CameraId
from sysmanager.recorder.evidence import EvidenceLock, EvidenceUnusable, add_lock, load_locks, remove_lock

GATE = CameraId("gate")


def locked(folder: Path, *, from_ms: int = 1_000, until_ms: int = 2_000, who: str = "Ada", why: str = "theft") -> EvidenceLock:
    return add_lock(folder, camera=GATE, from_ms=from_ms, until_ms=until_ms, who=who, why=why, now_ms=5_000)


def test_locks_are_found_again_in_order_and_removed_one_by_one(tmp_path: Path) -> None:
    assert load_locks(tmp_path) == ()
    first, second = locked(tmp_path), locked(tmp_path, who=" Grace ")
    assert load_locks(tmp_path) == (first, second)
    assert (second.who, second.why, second.locked_ms) == ("Grace", "theft", 5_000)
    assert remove_lock(tmp_path, first.id) == first
    assert load_locks(tmp_path) == (second,)
    with pytest.raises(EvidenceUnusable, match="There is no evidence lock"):
        remove_lock(tmp_path, first.id)


@pytest.mark.parametrize(
    ("camera", "first_ms", "last_ms", "held"),
    [
        ("gate", 0, 999, False),
        ("gate", 0, 1_000, True),
        ("gate", 1_500, 1_600, True),
        ("gate", 2_001, 3_000, False),
        ("yard", 1_500, 1_600, False),
    ],
)
def test_a_lock_covers_all_footage_that_reaches_into_it(tmp_path: Path, camera: str, first_ms: int, last_ms: int, held: bool) -> None:
    assert locked(tmp_path).covers(camera, first_ms, last_ms) is held


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"who": " "}, "correct the field who"),
        ({"why": "x" * 1_001}, "correct the field why"),
        ({"why": "a\nb"}, "correct the field why"),
        ({"from_ms": 3_000}, "ends before it begins"),
    ],
)
def test_a_lock_that_makes_no_sense_is_refused_and_changes_nothing(tmp_path: Path, changes: dict[str, object], sentence: str) -> None:
    kept = locked(tmp_path)
    with pytest.raises(EvidenceUnusable, match=sentence):
        locked(tmp_path, **changes)  # type: ignore[arg-type]
    assert load_locks(tmp_path) == (kept,)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"{", "are damaged"), (b'{"format": 2, "locks": []}', "of format 2"), (b'{"locks": [{"id": "1"}]}', "are damaged")],
)
def test_a_file_that_is_not_understood_is_never_written_over(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "evidence.json"
    path.write_bytes(content)
    with pytest.raises(EvidenceUnusable, match=sentence):
        locked(tmp_path)
    assert path.read_bytes() == content


def test_what_cannot_be_read_or_written_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(EvidenceUnusable, match="can't be written"):
        locked(tmp_path / "nowhere")
    (tmp_path / "evidence.json").mkdir()
    with pytest.raises(EvidenceUnusable, match="can't be read"):
        load_locks(tmp_path)


def test_the_number_of_locks_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sysmanager.recorder.evidence.LOCKS_LIMIT", 1)
    locked(tmp_path)
    with pytest.raises(EvidenceUnusable, match="which is the limit"):
        locked(tmp_path)
