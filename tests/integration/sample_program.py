"""A program of others: moves a recorder's tasks to a failover server and back, and asks who recorded a camera meanwhile.

python sample_program.py CREDENTIALS RECORDER CAMERA
"""
# ruff: noqa: T201

import asyncio
import sys
import time
from pathlib import Path

from sysmanager import api


async def reached(client: api.Client, entry: api.FailoverId, phase: api.Phase) -> None:
    """Follow what changes until the entry of the failover log is there, or has ended otherwise."""
    async for update in client.changes():
        for failover in update.failovers:
            if failover.id == entry:
                print(f"{entry}: {failover.log_state}")
                if failover.phase is phase:
                    return
                if failover.phase.ended:
                    raise SystemExit(f"{entry} ended: {failover.note}")


async def asked(client: api.Client, request: api.Request) -> api.FailoverId:
    reply = await client.request(request)
    if not isinstance(reply, api.Done) or reply.failover is None:
        raise SystemExit(reply.sentence)
    print(reply.sentence)
    return reply.failover


async def main(credentials: Path, recorder: api.RecorderId, camera: api.CameraId) -> None:
    client = await api.connect(credentials, name="sample program")
    for row in (await client.snapshot()).recorders:
        print(f"{row.name}: {row.connection}, {row.condition}")
    entry = await asked(client, api.StartFailover(recorder=recorder))
    await reached(client, entry, api.Phase.READY)
    answer = await client.ask(api.WhoRecords(camera=camera, at_wall_ms=time.time_ns() // 1_000_000))
    if isinstance(answer, api.Holders):
        print("recorded by", *(holder.recorder for holder in answer.holders))
    async for update in client.changes():
        if any(row.id == recorder and row.stable_ms > 0 for row in update.recorders):
            break  # it is connected again, and well
    await reached(client, await asked(client, api.StartFailback(failover=entry)), api.Phase.RETURNED)
    await client.close()


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1]), api.RecorderId(sys.argv[2]), api.CameraId(sys.argv[3])))
    except api.ClientError as error:
        sys.exit(str(error))
