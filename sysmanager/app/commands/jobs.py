"""`jobs`, `copy`, `drill`, `pause`, `resume`, `cancel`, `automate`: material copies and drills, for scripts (SPEC 9, 14.3)."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

import msgspec

from sysmanager import api
from sysmanager.app.arguments import whole
from sysmanager.app.commands.asking import command, following, print_json, print_table, server_called, time_text
from sysmanager.app.errors import CommandError
from sysmanager.domain.ids import FailoverId, JobId

DRILL_S, COPY_S = 90.0, 86_400.0
"""How long `--wait` follows a drill, and a material copy."""


def add(chosen: Any) -> None:
    jobs = command(chosen, "jobs", "list material copies and drills, newest first", _jobs, "sysmanager jobs --json")
    jobs.add_argument("--all", action="store_true", help="also those that have ended")
    copy = command(chosen, "copy", "copy the footage of a failover to where its cameras live", _copy, "sysmanager copy F00012 --wait")
    copy.add_argument("entry", help="id of the log entry")
    drill = command(
        chosen, "drill", "let the failover server try to take over, while the recorder goes on", _drill, "sysmanager drill TA-REC-03 --wait"
    )
    drill.add_argument("server", help="id or name of the recorder")
    for parser in (copy, drill):
        parser.add_argument("--wait", action="store_true", help="follow it to its end; exit status 1 if it is not a good one")
    for name, text, request in (
        ("pause", "let a material copy rest", api.PauseJob),
        ("resume", "let a material copy go on", api.ResumeJob),
        ("cancel", "end a material copy or a drill", api.CancelJob),
    ):
        parser = command(chosen, name, text, _on_job, f"sysmanager {name} J00003")
        parser.add_argument("job", help="id of the job, as `sysmanager jobs` lists it")
        parser.set_defaults(request=request)
    automate = command(
        chosen,
        "automate",
        "show or change what a recorder does by itself: material copy after a failback, drills",
        _automate,
        "sysmanager automate TA-REC-03 --copy yes --copy-hours 'Mon-Fri 22:00-05:00' --drill-every 30",
    )
    automate.add_argument("server", help="id or name of the recorder")
    automate.add_argument("--copy", choices=("yes", "no"), help="whether its footage is copied home by itself after a failback")
    automate.add_argument("--copy-limit", type=whole(0, 100_000_000), metavar="KBPS", help="bandwidth of copies; 0 for no limit")
    automate.add_argument("--copy-hours", metavar="HOURS", help="when copies run; '' for any time")
    automate.add_argument("--drill-every", type=whole(0, 366), metavar="DAYS", help="0 for never, or as its group says")
    automate.add_argument("--drill-hours", metavar="HOURS", help="when drills begin; '' for any time")


async def _jobs(client: api.Client, args: argparse.Namespace) -> int:
    found = [job for job in (await client.snapshot()).jobs if args.all or not job.phase.ended]
    if args.json:
        print_json(found)
        return 0
    rows = [
        (
            *(job.id, job.kind.value, job.failover or "", job.server, job.recorder, time_text(job.started_ms)),
            *(_share(job), job.phase.value, job.sentence),
        )
        for job in found
    ]
    print_table(("JOB", "KIND", "ENTRY", "FAILOVER SERVER", "RECORDER", "STARTED", "DONE", "STATE", "WHAT"), rows)
    return 0


def _share(job: api.JobRow) -> str:
    left = "" if job.left_ms is None else f", {max(1, job.left_ms // 60_000)} min left"
    return f"{job.percent} %{left}"


async def _copy(client: api.Client, args: argparse.Namespace) -> int:
    return await _ask(client, api.StartCopy(failover=FailoverId(args.entry)), args, COPY_S)


async def _drill(client: api.Client, args: argparse.Namespace) -> int:
    server = await server_called(client, args.server)
    return await _ask(client, api.StartDrill(recorder=server.id), args, DRILL_S)


async def _on_job(client: api.Client, args: argparse.Namespace) -> int:
    return await _ask(client, args.request(job=JobId(args.job)), args, 0)


async def _ask(client: api.Client, request: api.Request, args: argparse.Namespace, limit_s: float) -> int:
    reply = await client.request(request)
    wait = getattr(args, "wait", False) and isinstance(reply, api.Done)
    if not (args.json and wait):
        print_json(reply) if args.json else print(reply.sentence, file=sys.stdout if isinstance(reply, api.Done) else sys.stderr)
    if isinstance(reply, api.Refused):
        return 1
    return await _follow(client, reply.job, args, limit_s) if wait and reply.job is not None else 0


async def _follow(client: api.Client, job_id: JobId, args: argparse.Namespace, limit_s: float) -> int:
    """Until the job has ended; 0 if it came to its good end."""
    job: api.JobRow | None = None
    try:
        async with asyncio.timeout(limit_s):
            async for update in following(client):
                job = next((found for found in update.jobs if found.id == job_id), job)
                if job is not None and job.phase.ended:
                    break
    except TimeoutError:
        pass
    if job is None:
        raise CommandError(f"The job {job_id} was not found; look at it with `sysmanager jobs --all`.")
    if args.json:
        print_json(job)
    else:
        print(f"{job.id}: {job.phase.value}. {job.sentence}")
        for trial in job.trials:
            print(f"  {trial.camera}: {_trial(trial)}")
        for camera in job.coverage:
            print(f"  {camera.camera}: {camera.hours} hours, {camera.size_bytes / 1e6:.1f} MB copied and verified")
            for span in camera.uncovered:
                print(f"    missing {time_text(span.from_ms)} to {time_text(span.until_ms)}: {span.why}")
    return 0 if job.phase is api.JobPhase.READY else 1


def _trial(trial: api.Trial) -> str:
    if not trial.opened:
        return trial.sentence or "described itself; it allows one session only"
    return f"first frame after {trial.first_frame_ms / 1000:.2f} s" if trial.first_frame_ms >= 0 else f"no frame: {trial.sentence}"


async def _automate(client: api.Client, args: argparse.Namespace) -> int:
    row = await server_called(client, args.server)
    by_itself = None if args.copy is None else args.copy == "yes"
    copy = _changed(row.material_copy, automatic=by_itself, limit_kbps=args.copy_limit, hours=args.copy_hours)
    drill = _changed(row.drill, every_days=args.drill_every, hours=args.drill_hours)
    if (copy, drill) == (row.material_copy, row.drill):
        if args.json:
            print_json({"material_copy": copy, "drill": drill})
            return 0
        limit = f"{copy.limit_kbps} kbit/s" if copy.limit_kbps else "no limit"
        print(f"material copy after a failback: {'by itself' if copy.automatic else 'by hand'}, {limit}, {copy.hours or 'at any time'}")
        print(f"drills: {f'every {drill.every_days} days, ' + (drill.hours or 'at any time') if drill.every_days else 'as its group says'}")
        return 0
    fields = msgspec.structs.replace(row.edit, material_copy=copy, drill=drill)
    return await _ask(client, api.EditRecorder(recorder=row.id, revision=row.revision, fields=fields), args, 0)


def _changed(settings: Any, **values: Any) -> Any:
    """The settings with those values that were given."""
    return msgspec.structs.replace(settings, **{name: value for name, value in values.items() if value is not None})
