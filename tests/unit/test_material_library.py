"""What people are told of footage: stretches, damaged pieces; and the command that tells it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from sysmanager.app.main import main
from sysmanager.recorder.index import read_index
from sysmanager.recorder.library import pieces, stretches, verify
from sysmanager.simulation.cameras.clip import Clip
from tests.helpers.footage import START_US, small_clip
from tests.helpers.pieces import put_piece
from tests.helpers.recorder_site import recorder_folder

START_MS = START_US // 1000
EVER_MS = START_MS + 10**9


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return small_clip(tmp_path_factory.mktemp("clip"))


def test_pieces_without_a_hole_are_one_stretch(tmp_path: Path, clip: Clip) -> None:
    put_piece(tmp_path, clip, 20)
    put_piece(tmp_path, clip, 20, first=20)
    put_piece(tmp_path, clip, 15, first=100)
    put_piece(tmp_path, clip, 15, first=120, recorder="FO-1", epoch=2)
    found = stretches(pieces((tmp_path,), (), 0, EVER_MS))
    assert [(each.recorder, each.epoch, each.segments, each.frames) for each in found] == [
        ("REC-1", 1, 2, 40),
        ("REC-1", 1, 1, 15),
        ("FO-1", 2, 1, 15),
    ]
    assert found[0].first_frame_ms == START_MS
    assert found[0].bytes > 0


def test_what_was_kept_for_different_reasons_is_told_apart(tmp_path: Path, clip: Clip) -> None:
    """A piece that a killed recorder left says nothing of that, and goes with what it follows."""
    put_piece(tmp_path, clip, 15, why="continuous")
    put_piece(tmp_path, clip, 15, first=15, indexed=False)
    put_piece(tmp_path, clip, 15, first=30, why="motion")
    put_piece(tmp_path, clip, 15, first=200, why="motion")
    found = stretches(pieces((tmp_path,), (), 0, EVER_MS))
    assert [(each.why, each.segments, each.frames) for each in found] == [("continuous", 2, 30), ("motion", 1, 15), ("motion", 1, 15)]


def test_a_hole_between_two_motions_is_no_fault(tmp_path: Path, clip: Clip, capsys: pytest.CaptureFixture[str]) -> None:
    put_piece(tmp_path, clip, 15, why="motion")
    put_piece(tmp_path, clip, 15, first=5_000, why="motion")
    listed = said(capsys, "list", "--disk", str(tmp_path)).splitlines()
    assert len(listed) == 2
    assert all(line.endswith("motion") for line in listed)
    assert "2 pieces with 30 frames are sound, 0 are damaged" in said(capsys, "verify", "--disk", str(tmp_path))


def test_a_sound_piece_is_sound_with_its_index_or_without(tmp_path: Path, clip: Clip) -> None:
    put_piece(tmp_path, clip, 20)
    put_piece(tmp_path, clip, 20, first=20, indexed=False)
    verified = [verify(piece) for piece in pieces((tmp_path,), (), 0, EVER_MS)]
    assert [(each.frames, each.indexed, each.problem) for each in verified] == [(20, True, ""), (20, False, "")]


@pytest.mark.parametrize(("cut", "problem"), [(1 / 2, "bytes, and its index says"), (0, "No frame of it can be read")])
def test_a_piece_that_lost_bytes_is_damaged(tmp_path: Path, clip: Clip, cut: float, problem: str) -> None:
    path = put_piece(tmp_path, clip, 20)
    (piece,) = pieces((tmp_path,), (), 0, EVER_MS)
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * cut)])
    assert problem in verify(piece).problem


@pytest.mark.parametrize(("line", "problem"), [('"frames":20', "20 frames can be read"), ('"first_frame_ms":1', "another time")])
def test_a_piece_that_is_not_what_its_index_says_is_damaged(tmp_path: Path, clip: Clip, line: str, problem: str) -> None:
    path = put_piece(tmp_path, clip, 20)
    index = path.parent / "REC-1.idx"
    index.write_text(index.read_text(encoding="utf-8").replace(line, line + "1"), encoding="utf-8")
    (piece,) = pieces((tmp_path,), (), 0, 10**16)
    assert problem in verify(piece).problem


def test_a_piece_of_which_one_bit_is_another_is_damaged(tmp_path: Path, clip: Clip) -> None:
    path = put_piece(tmp_path, clip, 20)
    content = bytearray(path.read_bytes())
    index = path.parent / "REC-1.idx"
    line = replace(read_index(index)[path.name], sha256=hashlib.sha256(content).hexdigest())
    index.write_bytes(line.encode())
    (piece,) = pieces((tmp_path,), (), 0, EVER_MS)
    assert verify(piece).problem == ""
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "other bytes" in verify(piece).problem
    path.unlink()
    assert "No frame of it can be read" in verify(piece).problem


# ---------------------------------------------------------------- the command


def said(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    assert main(["material", *arguments]) == status
    captured = capsys.readouterr()
    return captured.out if status != 2 else captured.err


def test_footage_is_listed_checked_locked_and_exported(tmp_path: Path, clip: Clip, capsys: pytest.CaptureFixture[str]) -> None:
    config = recorder_folder(tmp_path, "REC-1", {})
    disk = config.parent / "disk"
    put_piece(disk, clip, 45)
    found = json.loads(said(capsys, "list", "--config", str(config), "--json"))
    assert [(each["camera"], each["frames"], each["locked"]) for each in found] == [("cam-001", 45, False)]
    assert "45 frames are sound, 0 are damaged" in said(capsys, "verify", "--disk", str(disk))

    lock = json.loads(said(capsys, "lock", "--config", str(config), "--camera", "cam-001", "--why", "theft", "--who", "Ada", "--json"))
    assert (lock["who"], lock["why"]) == ("Ada", "theft")
    assert "locked" in said(capsys, "list", "--config", str(config))
    assert "Ada: theft" in said(capsys, "locks", "--config", str(config))
    assert "is released" in said(capsys, "unlock", lock["id"], "--config", str(config))
    assert "No footage is locked" in said(capsys, "locks", "--config", str(config))

    file = tmp_path / "gate.mp4"
    assert "45 frames, SHA-256" in said(capsys, "export", str(file), "--camera", "cam-001", "--config", str(config))
    assert json.loads(file.with_name("gate.mp4.json").read_text(encoding="utf-8"))["runs"][0]["frames"] == 45


def test_a_damaged_piece_is_named_and_ends_with_status_1(tmp_path: Path, clip: Clip, capsys: pytest.CaptureFixture[str]) -> None:
    path = put_piece(tmp_path, clip, 20)
    path.write_bytes(path.read_bytes()[:1_000])
    assert path.name in said(capsys, "verify", "--disk", str(tmp_path), status=1)


@pytest.mark.parametrize("index", ["sound", "damaged"])
def test_a_piece_of_garbage_is_named_whatever_its_index_says_and_the_others_are_sound(
    tmp_path: Path, clip: Clip, capsys: pytest.CaptureFixture[str], index: str
) -> None:
    bad = put_piece(tmp_path, clip, 20)
    put_piece(tmp_path, clip, 20, first=20)
    bad.write_bytes(b"garbage" * 5_000)
    os.utime(bad, (1_000, 1_000))
    if index == "damaged":
        (bad.parent / "REC-1.idx").write_bytes(bytes(range(256)))
    told = said(capsys, "verify", "--disk", str(tmp_path), status=1)
    assert f"{bad}: No frame of it can be read." in told
    assert "1 pieces with 20 frames are sound, 1 are damaged." in told
    later = "2030-01-01T00:00"
    assert "0 are damaged" in said(capsys, "verify", "--disk", str(tmp_path), "--from", later)


def test_a_piece_that_somebody_may_be_writing_is_not_damaged(tmp_path: Path, clip: Clip, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor is an empty one, which a kill leaves."""
    begun = put_piece(tmp_path, clip, 20, indexed=False)
    begun.write_bytes(b"G")
    empty = put_piece(tmp_path, clip, 20, first=20, indexed=False)
    empty.write_bytes(b"")
    os.utime(empty, (1_000, 1_000))
    assert "0 pieces with 0 frames are sound, 0 are damaged." in said(capsys, "verify", "--disk", str(tmp_path))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("list",), "No disk is named"),
        (("list", "--disk", "nowhere"), "There is no folder nowhere"),
        (("list", "--config", "nothing.toml"), "There is no configuration file"),
        (("locks", "--config", "nothing.toml"), "There is no configuration file"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = said(capsys, *arguments, status=2)
    assert sentence in error
    assert len(error.splitlines()) == 1


def test_a_time_that_is_none_names_the_argument(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["material", "list", "--disk", ".", "--from", "tomorrow"])
    assert ended.value.code == 2
    assert "--from: 'tomorrow' is no time such as" in capsys.readouterr().err


def test_an_empty_disk_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "There is no footage" in said(capsys, "list", "--disk", str(tmp_path))
