"""What is under way outside: of which kind of work, for whom, one at a time."""

from __future__ import annotations

from typing import assert_never

from sysmanager.coordinator.commands import AskProbe, CheckCache, Command, Continue, FetchDocuments, MakeBackup, SendOrder
from sysmanager.protocol.jobs import JobOrder
from sysmanager.protocol.preroll import KeepPreroll
from sysmanager.protocol.recorders import LetOut, ReportFootage

_ORDER_KINDS: dict[type, str] = {ReportFootage: "footage", KeepPreroll: "preroll"}
"""What does not stand in the way of an order to record or to stand down; of these the newest counts."""


def flight_of(command: Command) -> tuple[str, str] | None:
    """Kind and object of the work; a command of the same kind for the same object takes its place. None: it is not done outside."""
    match command:
        case SendOrder(recorder=recorder, order=order) if isinstance(order, JobOrder):
            return (f"job {order.job}", recorder)
        case SendOrder(recorder=recorder, order=LetOut(camera=camera)):
            return (f"let out {camera}", recorder)
        case SendOrder(recorder=recorder, order=order):
            return (_ORDER_KINDS.get(type(order), "order"), recorder)
        case AskProbe(server=server, probe=probe):
            return ("probe", f"{server} {probe.recorder}")
        case FetchDocuments(recorder=recorder):
            return ("fetch", recorder)
        case CheckCache(failover=failover):
            return ("cache", failover)
        case MakeBackup(kind=kind):
            return ("backup", kind)
        case Continue():
            return None
        case _:
            assert_never(command)
