"""Who lands where (SPEC 14.1): if a recorder fails now, and what any two failures in a group leave unprotected."""

from __future__ import annotations

from itertools import combinations_with_replacement

import msgspec

from sysmanager.coordinator.detection import group_of
from sysmanager.coordinator.readiness import objection_words
from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import Fit, needs_of, rank
from sysmanager.coordinator.state import View, governing, tasks_of
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.domain.recorder import Recorder, Role, Standby
from sysmanager.protocol.clients import GroupLandings, Landing, Landings, PairLanding

PAIRS_LIMIT = 100
"""So many pairs of a group are listed; all are counted."""


class _Prospect(msgspec.Struct, frozen=True):
    """One recorder. ways: who could take over, best first, each with the cameras that it would leave behind. cameras: that can move."""

    recorder: RecorderId
    group: GroupId | None
    ways: tuple[tuple[RecorderId, int], ...]
    cameras: int

    def left_without(self, taken: RecorderId | None) -> tuple[RecorderId | None, int]:
        """Where it lands if `taken` is not there, and how many cameras that leaves unprotected."""
        for server, left in self.ways:
            if server != taken:
                return server, left
        return None, self.cameras


def who_lands_where(view: View, seen: Seen, *, two: bool) -> Landings:
    """Of every server that records, by id; with `two` also of every group, by id."""
    single: list[Landing] = []
    by_group: dict[GroupId, list[_Prospect]] = {}
    for recorder in sorted(view.recorders):
        row = view.recorders[recorder]
        if not row.records:
            continue
        prospect, landing = _one(view, seen, row)
        single.append(landing)
        if prospect.group is not None:
            by_group.setdefault(prospect.group, []).append(prospect)
    pairs = tuple(_pairs(view, group, by_group[group]) for group in sorted(by_group)) if two else ()
    return Landings(single=tuple(single), pairs=pairs)


def _one(view: View, seen: Seen, row: Recorder) -> tuple[_Prospect, Landing]:
    group, home = group_of(view, row), view.recorders.get(row.home) if row.home is not None else None
    if home is None:
        tasks, needs = row, needs_of(row.settings)
    else:
        tasks = tasks_of(row, home)
        needs = needs_of(tasks.settings)
    fits: list[Fit] = []
    sentence = f"{row.name} is in no failover group."
    if group is not None:
        fits, out = rank(view, seen, failed=row, home=tasks, group=view.groups[group], needs=needs)
        sentence = " ".join(objection_words(view.recorders[verdict.server].name, verdict.sentence) for verdict in out)
    if tasks.documents is None:
        fits, sentence = [], f"The settings of {row.name} are not in the cache."
    if not governing(view, row).failover_enabled:
        fits, sentence = [], f"Failover is off for {row.name}."
    prospect = _Prospect(row.id, group, tuple((fit.server, len(fit.left)) for fit in fits), len(needs.cameras))
    server, left = prospect.left_without(None)
    landing = Landing(
        recorder=row.id,
        server=server,
        moved=prospect.cameras - left,
        unprotected=left,
        sentence="" if server is not None else sentence or "The group has no failover server.",
    )
    return prospect, landing


def _pairs(view: View, group: GroupId, prospects: list[_Prospect]) -> GroupLandings:
    """Recorders that would land in the same way are judged together: what counts is who could take over, not which recorder it is."""
    alike: dict[tuple[tuple[tuple[RecorderId, int], ...], bool], list[_Prospect]] = {}
    for prospect in prospects:
        alike.setdefault((prospect.ways, prospect.cameras > 0), []).append(prospect)
    for members in alike.values():
        members.sort(key=lambda prospect: (-prospect.cameras, prospect.recorder))
    standbys = [
        member
        for member in sorted(view.members.get(group, ()))
        if view.recorders[member].role is Role.FAILOVER and isinstance(view.recorders[member].assignment, Standby)
    ]
    count = bad = 0
    worst: list[PairLanding] = []
    for one, other in combinations_with_replacement(alike.values(), 2):
        number = len(one) * (len(one) - 1) // 2 if one is other else len(one) * len(other)
        count += number
        if number and _lost(one[0], other[-1]):
            bad += number
            worst += _listed(one, other)
    for members in alike.values():
        for standby in standbys:
            count += len(members)
            if members[0].left_without(standby)[1]:
                bad += len(members)
                worst += [PairLanding(first=each.recorder, second=standby, unprotected=each.left_without(standby)[1]) for each in members]
    worst.sort(key=lambda pair: (-pair.unprotected, pair.first, pair.second))
    return GroupLandings(group=group, pairs=count, unprotected_pairs=bad, worst=tuple(worst[:PAIRS_LIMIT]))


def _lost(one: _Prospect, other: _Prospect) -> int:
    """Cameras that both leave unprotected together, in the worse order."""

    def in_order(first: _Prospect, second: _Prospect) -> int:
        server, left = first.left_without(None)
        return left + second.left_without(server)[1]

    return max(in_order(one, other), in_order(other, one))


def _listed(one: list[_Prospect], other: list[_Prospect]) -> list[PairLanding]:
    """The pairs of two kinds with the most cameras, as many as could be shown."""
    found: list[PairLanding] = []
    for place, first in enumerate(one):
        for second in other[place + 1 :] if one is other else other:
            found.append(PairLanding(first=first.recorder, second=second.recorder, unprotected=_lost(first, second)))
            if len(found) >= PAIRS_LIMIT * 10:
                return found
    return found
