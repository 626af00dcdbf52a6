"""The recorder's state on its disk: old or new, never half; damage is set aside and makes it ask (SPEC 13.1)."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.domain.ids import Epoch, InstanceId, RecorderId
from sysmanager.protocol.recorders import Mode
from sysmanager.recorder.beginning import begin
from sysmanager.recorder.configuration import RecorderConfiguration
from sysmanager.recorder.instance import StateUnusable, instance_of
from sysmanager.recorder.machine import Persisted
from sysmanager.recorder.segments import SegmentName
from sysmanager.recorder.state_file import FILE_NAMES, StateFile, highest_epoch_in_material

GATE = RecorderId("gate")
STATE = Persisted(recorder=GATE, instance=InstanceId("i"), boot=3, epoch=Epoch(4), ordered=True)


def saved(folder: Path, *epochs: int) -> StateFile:
    states = StateFile(folder, GATE)
    for epoch in epochs:
        states.save(replace(STATE, epoch=Epoch(epoch)))
    return states


def newest(folder: Path) -> Path:
    return max((folder / name for name in FILE_NAMES if (folder / name).exists()), key=lambda path: path.stat().st_mtime_ns)


def test_nothing_there_is_a_first_start(tmp_path: Path) -> None:
    found = StateFile(tmp_path, GATE).load()
    assert (found.persisted, found.sentence) == (None, "")


def test_the_last_save_is_found(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2, 3)
    again = StateFile(tmp_path, GATE)
    found = again.load()
    assert found.persisted is not None
    assert found.persisted.epoch == 3
    again.save(replace(STATE, epoch=Epoch(9)))
    final = StateFile(tmp_path, GATE).load().persisted
    assert final is not None
    assert final.epoch == 9


@pytest.mark.parametrize("damage", [b"", b"x", b"0" * 64 + b"\n{}"])
def test_a_damaged_file_is_set_aside_and_the_one_before_counts(tmp_path: Path, damage: bytes) -> None:
    saved(tmp_path, 1, 2)
    newest(tmp_path).write_bytes(damage)
    states = StateFile(tmp_path, GATE)
    found = states.load()
    assert found.persisted is not None
    assert found.persisted.epoch == 1
    assert "was damaged and set aside as state-" in found.sentence
    assert list(tmp_path.glob("state-*-damaged-1"))
    states.save(replace(STATE, epoch=Epoch(5)))
    after = StateFile(tmp_path, GATE).load()
    assert after.persisted is not None
    assert (after.persisted.epoch, after.sentence) == (5, "")


def test_a_cut_at_any_byte_is_noticed(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    path = newest(tmp_path)
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert StateFile(tmp_path, GATE).load().persisted is None


def test_the_folder_of_another_recorder_is_refused(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    with pytest.raises(StateUnusable, match=r"belongs to the recorder 'gate'.*'yard'"):
        StateFile(tmp_path, RecorderId("yard")).load()


def test_a_folder_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / FILE_NAMES[0]).mkdir()
    with pytest.raises(StateUnusable, match="can't be read"):
        StateFile(tmp_path, GATE).load()


def test_the_instance_stays(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = instance_of(folder)
    assert instance_of(folder) == first
    (folder / "instance").write_bytes(b"\0\0")
    assert instance_of(folder) != first


def segment(disk: Path, camera: str, recorder: str, epoch: int, start_ms: int) -> None:
    path = disk / SegmentName(camera=camera, recorder=recorder, epoch=epoch, start_ms=start_ms).relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")


def test_the_highest_epoch_is_in_the_names_of_the_newest_segments(tmp_path: Path) -> None:
    day_ms = 86_400_000
    assert highest_epoch_in_material((tmp_path, tmp_path / "gone"), GATE) == 0
    segment(tmp_path, "c1", "gate", 3, day_ms * 20_000)
    segment(tmp_path, "c1", "gate", 7, day_ms * 20_001)
    segment(tmp_path, "c2", "yard", 99, day_ms * 20_001)
    (tmp_path / "note.txt").write_text("x", encoding="utf-8")
    assert highest_epoch_in_material((tmp_path, tmp_path / "gone"), GATE) == 7


# ---------------------------------------------------------------- beginning


def configuration(folder: Path, *, standby: bool = False) -> RecorderConfiguration:
    (folder / "disk").mkdir(exist_ok=True)
    return RecorderConfiguration(
        id="gate",
        data=str(folder / "data"),
        disks={"D:": str(folder / "disk")},
        bus=str(folder / "bus.json"),
        site_key=str(folder / "key"),
        standby=standby,
    )


async def test_the_first_start_and_the_next(tmp_path: Path) -> None:
    settings = configuration(tmp_path)
    store = MemoryDocumentStore()
    first = await begin(settings, StateFile(settings.data_folder, GATE), store, None)
    assert (first.persisted.boot, first.persisted.mode, first.doubtful) == (1, Mode.RECORDING, False)
    assert first.persisted.documents is not None
    second = await begin(settings, StateFile(settings.data_folder, GATE), store, None)
    assert second.persisted == replace(first.persisted, boot=2)


async def test_service_and_watchdog_name_the_same_instance_whatever_file_was_lost(tmp_path: Path) -> None:
    settings = configuration(tmp_path)
    store = MemoryDocumentStore()
    await begin(settings, StateFile(settings.data_folder, GATE), store, None)
    (settings.data_folder / "instance").unlink()
    seen_by_watchdog = instance_of(settings.data_folder)
    started = await begin(settings, StateFile(settings.data_folder, GATE), store, None)
    assert started.persisted.instance == seen_by_watchdog


async def test_a_failover_server_begins_on_standby(tmp_path: Path) -> None:
    settings = configuration(tmp_path, standby=True)
    started = await begin(settings, StateFile(settings.data_folder, GATE), MemoryDocumentStore(), None)
    assert (started.persisted.mode, started.persisted.home) == (Mode.STANDBY, None)
    assert started.persisted.own is not None


async def test_a_lost_state_is_rebuilt_in_doubt_under_the_epoch_of_its_footage(tmp_path: Path) -> None:
    settings = configuration(tmp_path)
    store = MemoryDocumentStore()
    await begin(settings, StateFile(settings.data_folder, GATE), store, None)
    for name in FILE_NAMES:
        if (settings.data_folder / name).exists():
            (settings.data_folder / name).write_bytes(b"garbage")
    segment(tmp_path / "disk", "c1", "gate", 12, 86_400_000 * 20_000)
    started = await begin(settings, StateFile(settings.data_folder, GATE), store, None)
    assert started.doubtful
    assert (started.persisted.epoch, started.persisted.ordered, started.persisted.mode) == (12, False, Mode.RECORDING)


async def test_an_older_state_that_is_left_is_raised_to_the_epoch_of_its_footage(tmp_path: Path) -> None:
    settings = configuration(tmp_path)
    settings.data_folder.mkdir()
    saved(settings.data_folder, 4, 5)
    newest(settings.data_folder).write_bytes(b"garbage")
    segment(tmp_path / "disk", "c1", "gate", 5, 86_400_000 * 20_000)
    started = await begin(settings, StateFile(settings.data_folder, GATE), MemoryDocumentStore(), None)
    assert (started.persisted.epoch, started.persisted.ordered, started.doubtful) == (5, False, True)


async def test_a_full_disk_does_not_keep_it_from_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = configuration(tmp_path)
    store = MemoryDocumentStore()
    states = StateFile(settings.data_folder, GATE)
    await begin(settings, states, store, None)

    def full(_state: Persisted) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(states, "save", full)
    started = await begin(settings, states, store, None)
    assert started.persisted.boot == 2
