"""Applies the facts by which a failover server keeps the tasks that it took over (SPEC 10)."""

from __future__ import annotations

from typing import assert_never

from msgspec.structs import replace

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.evolve.system import remove_recorder
from sysmanager.coordinator.evolve.tables import assign, epoch_used, forget_drill, put_failover, put_recorder
from sysmanager.coordinator.state import State
from sysmanager.domain.failover import Failover, Phase
from sysmanager.domain.ids import Epoch
from sysmanager.domain.recorder import Recording, Role, Standby, fields_of

OWN_FIELDS = ("name", "address", "role")
"""What a server keeps of its own general settings when it takes over those of another for good."""


def apply(state: State, record: f.FactRecord, fact: f.AdoptionFact) -> None:
    entry = state.failovers[fact.failover]
    home = state.recorders[entry.home]
    server = _keeps(state, entry, fact.epoch)
    match fact:
        case f.ServerAdopted():
            # It is in its new group before the entry ends: from then on it is a candidate.
            put_recorder(state, replace(home, role=Role.FAILOVER, group=fact.group, automatic_failback=False, revision=home.revision + 1))
            assign(state, home.id, Standby(epoch=fact.standby_epoch))
            state.retired[home.id] = fact.standby_epoch
            state.kept.pop(home.id, None)
            state.holds.pop(home.id, None)
            state.failback_holds.pop(home.id, None)
            # When it was replaced stays: it is the same machine, and its next failover within the hour is flapping (SPEC 13.5).
            note = f"{server} keeps the cameras; {home.name} was taken in as a failover server."
        case f.ReplacedRemoved():
            remove_recorder(state, home.id)
            state.retired[home.id] = fact.retired_epoch
            epoch_used(state, fact.retired_epoch)
            note = f"{server} keeps the cameras; {home.name} was removed from system data."
        case _:
            assert_never(fact)
    forget_drill(state, home.id)
    put_failover(state, replace(entry, phase=Phase.KEPT, to_do=fact.to_do, note=note, ended_ms=record.wall_ms))
    # What is on the disks of who keeps the cameras is at home there now.
    state.away.pop(home.id, None)


def _keeps(state: State, entry: Failover, epoch: Epoch) -> str:
    """The acting server becomes a recorder with the general settings of the one that it replaced; its name."""
    assert entry.server is not None, "a failover server acts"
    home, server = state.recorders[entry.home], state.recorders[entry.server]
    taken = {name: value for name, value in fields_of(home).items() if name not in OWN_FIELDS}
    for group in list(state.groups.values()):
        if server.id in group.preference:
            others = tuple(other for other in group.preference if other != server.id)
            state.groups[group.id] = replace(group, preference=others)
    put_recorder(state, replace(server, **taken, role=Role.STANDARD, revision=server.revision + 1))
    assign(state, server.id, Recording(epoch=epoch))
    state.kept[server.id] = epoch
    return server.name
