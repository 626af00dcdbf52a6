"""Sites with footage that lies away from home, and material copies that bring it there."""

from __future__ import annotations

import msgspec

from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import CameraId, JobId
from sysmanager.domain.jobs import CopyJob, JobPhase
from sysmanager.engine.job_rows import job_row
from sysmanager.protocol import clients as c
from tests.helpers.coordination import Site, edit, rid, small_site

CAMERAS = (CameraId("A-c0"), CameraId("A-c1"), CameraId("A-c2"))
J1 = JobId("J00001")


def returned(*, hours: int = 1, **copy: object) -> Site:
    """F acted for A, which has its cameras back; F holds `hours` of each. copy: settings of A's material copy."""
    site = small_site()
    if copy:
        row = site.row("A")
        settings = msgspec.structs.replace(row.material_copy, **copy)
        reply = site.ask(c.EditRecorder(recorder=rid("A"), revision=row.revision, fields=edit("A", material_copy=settings)))
        assert isinstance(reply, c.Done), reply
    site.fail_over("A")
    site.server("F").jobs.fill(CAMERAS, hours)
    site.run(2_000)
    site.server("A").first_frame_ms = 100
    site.fail_back()
    site.run(1_500)
    assert site.entry.phase is Phase.RETURNED
    return site


def started(site: Site | None = None) -> Site:
    site = site or returned()
    reply = site.ask(c.StartCopy(failover=site.entry.id))
    assert isinstance(reply, c.Done), reply
    assert reply.job == J1
    return site


def held(hours: int = 1) -> Site:
    """The copy runs, and the target finishes nothing."""
    site = returned(hours=hours)
    site.server("A").jobs.copies = False
    started(site)
    site.run(1_500)
    assert job(site).phase is JobPhase.COPYING
    return site


def job(site: Site, number: int = 1) -> CopyJob:
    found = site.state.jobs[JobId(f"J{number:05d}")]
    assert isinstance(found, CopyJob)
    return found


def row(site: Site, number: int = 1) -> c.JobRow:
    return job_row(site.state, site.core.seen, job(site, number), site.now)
