"""Judging rehearsals in which the recorder is broken otherwise than by a kill, or somebody else is killed too."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from sysmanager.app.commands.site import VICTIMS, WAYS
from sysmanager.app.site.footage_check import Judgement, judge
from sysmanager.app.site.frames import read_footage
from sysmanager.app.site.report import KillAt, Report, Victim, Way
from sysmanager.domain.failover import Trigger
from sysmanager.simulation.cameras.clip import Clip
from tests.helpers.footage import small_clip
from tests.helpers.rehearsed import ACTING, BEFORE, FO_1, MOVED, REC_1, REC_2, RETURNED, STAYED, WHOLE, Footage, sound_report, write_sound


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return small_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def footage(tmp_path: Path, clip: Clip) -> Footage:
    return Footage(tmp_path, clip)


def judged(footage: Footage, report: Report) -> Judgement:
    machines = sorted(path.name for path in footage.root.iterdir() if path.is_dir())
    return judge(report, read_footage(footage.root, machines, report.moments.started_ms * 1000))


def test_the_command_names_the_ways_and_victims_that_there_are() -> None:
    assert tuple(Way) == WAYS
    assert tuple(Victim) == VICTIMS
    assert {trigger for way in Way for trigger in way.triggers} == set(Trigger)


def test_after_a_planned_switch_neither_and_after_the_death_of_the_server_itself_they_may() -> None:
    report = sound_report()
    assert not report.gapless
    assert replace(report, way=Way.SWITCH).gapless
    assert replace(report, preroll=True, also=KillAt(victim=Victim.COORDINATOR, step=4)).gapless
    assert not replace(report, preroll=True, also=KillAt(victim=Victim.SERVER, step=4)).gapless


def test_a_recorder_that_was_only_cut_off_records_on(footage: Footage) -> None:
    write_sound(footage)
    report = sound_report()
    early = replace(report.moments, killed_ms=report.moments.killed_ms - 1000)
    assert any("captured after it was killed" in finding for finding in judged(footage, replace(report, moments=early)).findings)
    assert judged(footage, replace(report, moments=early, way=Way.CONNECTION)).findings == ()


def test_what_a_lost_disk_may_have_taken_lies_there_twice_and_that_is_right(footage: Footage) -> None:
    footage.write(REC_1, MOVED, 0, range(0, 20))
    footage.write(REC_1, MOVED, 0, range(15, 40))
    footage.write(FO_1, MOVED, 2, ACTING)
    footage.write(REC_1, MOVED, 3, RETURNED)
    footage.write(REC_2, STAYED, 0, WHOLE)
    findings = judged(footage, sound_report()).findings
    assert any(finding.endswith("5 frames are doubled.") for finding in findings)
    lost = judged(footage, replace(sound_report(), way=Way.DISKS)).findings
    assert not any("doubled" in finding for finding in lost)


def test_a_server_that_was_killed_itself_has_a_hole_of_its_own(footage: Footage) -> None:
    footage.write(REC_1, MOVED, 0, BEFORE)
    footage.write(FO_1, MOVED, 2, range(60, 80))
    footage.write(FO_1, MOVED, 2, range(85, 100))
    footage.write(REC_1, MOVED, 3, RETURNED)
    footage.write(REC_2, STAYED, 0, WHOLE)
    assert any("5 frames are missing" in finding for finding in judged(footage, sound_report()).findings)
    killed = replace(sound_report(), also=KillAt(victim=Victim.SERVER, step=7))
    assert not any("are missing" in finding for finding in judged(footage, killed).findings)


def test_a_server_that_was_killed_itself_may_state_too_large_a_gap_and_never_too_small_a_one(footage: Footage) -> None:
    write_sound(footage)
    report = replace(sound_report(), also=KillAt(victim=Victim.SERVER, step=7))

    def stating(off_ms: int) -> Report:
        cameras = []
        for camera in report.cameras:
            gap = camera.gap
            if gap is not None:
                gap = replace(gap, gap_ms=gap.gap_ms + off_ms, first_frame_ms=gap.first_frame_ms + off_ms)
            cameras.append(replace(camera, gap=gap))
        return replace(report, cameras=tuple(cameras))

    assert judged(footage, stating(5_000)).findings == ()
    assert any("states a gap" in finding for finding in judged(footage, stating(-1_000)).findings)
