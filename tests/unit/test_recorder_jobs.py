"""The jobs of a recorder beside its task, as far as they need neither a camera nor another server."""

from __future__ import annotations

from pathlib import Path

from sysmanager.domain.ids import JobId
from sysmanager.protocol.jobs import Accepted, ForgetJob
from sysmanager.recorder.door import FreeDoor
from sysmanager.recorder.jobs import Jobs, JobSurroundings
from sysmanager.recorder.transfer.copied import CopiedHours
from sysmanager.recorder.transfer.staging import FOLDER
from tests.helpers.transferring import FO_1, KEY

JOB = JobId("J00007")


async def test_a_job_of_an_earlier_life_is_forgotten_and_nothing_is_loaded_for_it(tmp_path: Path) -> None:
    """Each drill ends with that order, too: a server that copies nothing needs nothing of what copies."""
    disk = tmp_path / "disk"
    left = disk / FOLDER / JOB / "piece.ts.part"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")

    async def no_settings(_: object) -> None:
        return None

    around = JobSurroundings(
        recorder=FO_1,
        data_folder=tmp_path,
        disks=(disk,),
        minimum_free_bytes=0,
        writable=lambda: (disk,),
        busy=lambda: False,
        settings_of=no_settings,
        changed=lambda: None,
        copied=CopiedHours(tmp_path),
        door=FreeDoor(),
    )
    jobs = Jobs(around, KEY)
    assert await jobs.carry_out(ForgetJob(job=JOB)) == Accepted(job=JOB)
    assert not left.parent.exists()
    assert jobs._target is None
    await jobs.close()
