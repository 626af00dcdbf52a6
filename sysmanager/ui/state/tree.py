"""The server tree as nested values: standard servers by group, failover servers, broken servers (SPEC 17)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sysmanager.api import Connection, Health, Ready, RecorderRow
from sysmanager.domain.group import Group
from sysmanager.domain.ids import GroupId, RecorderId
from sysmanager.domain.recorder import Acting, Broken, Role, Standby
from sysmanager.ui.state.look import Symbol, needs_attention, server_look
from sysmanager.ui.state.model import Tone, UiState
from sysmanager.ui.state.readiness import readiness_tip
from sysmanager.ui.state.texts import counted, natural_key


class TreeNode(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the tree. key: the same as long as it stands for the same thing. recorder: set on servers.

    tip: more about it, for the tool tip. shorter: what the note becomes where there is no room for it, ever fewer words.
    """

    key: str
    text: str
    symbol: Symbol
    tone: Tone = Tone.MUTED
    note: str = ""
    shorter: tuple[str, ...] = ()
    note_tone: Tone = Tone.MUTED
    strong: bool = False
    recorder: RecorderId | None = None
    tip: str = ""
    children: tuple[TreeNode, ...] = ()


class TreeBuilder:
    """Makes the tree of a state; keeps the nodes of rows that did not change, so that comparing two trees is cheap."""

    def __init__(self) -> None:
        self._nodes: dict[RecorderId, tuple[RecorderRow, TreeNode]] = {}

    def build(self, state: UiState) -> tuple[TreeNode, ...]:
        """The root, or nothing before the coordinator was heard."""
        if state.system is None:
            return ()
        rows = sorted(state.recorders.values(), key=lambda row: (row.role is Role.FAILOVER, natural_key(row.name), row.id))
        self._nodes = {row.id: self._node(row) for row in rows}
        by_branch: dict[str, list[TreeNode]] = {}
        for row in rows:
            by_branch.setdefault(_branch_of(row, state), []).append(self._nodes[row.id][1])
        children = [
            TreeNode(
                key=f"group:{group.id}",
                text=f"Group  {group.name}",
                symbol=Symbol.GROUP,
                note=note,
                shorter=_SHORTER.get(note, (note.removesuffix(" left"),)),
                note_tone=tone,
                children=tuple(by_branch.get(f"group:{group.id}", ())),
            )
            for group in sorted(state.groups.values(), key=lambda group: (natural_key(group.name), group.id))
            for note, tone in (standby_note(group.id, rows),)
        ]
        for key, text, symbol in _BRANCHES:
            if key in by_branch:
                children.append(TreeNode(key=key, text=text, symbol=symbol, children=tuple(by_branch[key])))
        note, tone = attention_note(rows)
        return (
            TreeNode(
                key="site",
                text=state.system.site or "Site",
                symbol=Symbol.SITE,
                tone=Tone.ACCENT,
                note=note,
                shorter=(note.split(" need")[0],),
                note_tone=tone,
                strong=True,
                children=tuple(children),
            ),
        )

    def _node(self, row: RecorderRow) -> tuple[RecorderRow, TreeNode]:
        known = self._nodes.get(row.id)
        if known is not None and known[0] is row:
            return known
        look = server_look(row)
        node = TreeNode(
            key=f"server:{row.id}",
            text=row.name,
            symbol=look.symbol,
            tone=look.tone,
            note=look.note,
            shorter=look.shorter,
            note_tone=look.note_tone,
            recorder=row.id,
            tip=readiness_tip(row),
        )
        return row, node


_SHORTER = {"no failover server": ("no standby",), "no standby left": ("no standby",)}
_BRANCHES = (
    ("ungrouped", "VMS servers without a group", Symbol.UNGROUPED),
    ("failover", "Failover VMS servers", Symbol.FAILOVER_BRANCH),
    ("broken", "Broken VMS servers", Symbol.BROKEN_BRANCH),
)


def _branch_of(row: RecorderRow, state: UiState) -> str:
    """An acting failover server stands where the cameras it records are at home."""
    match row.assignment:
        case Broken():
            return "broken"
        case Acting(for_recorder=home):
            away = state.recorders.get(home)
            return _group_branch(away.group if away is not None else row.group, state)
        case _:
            return "failover" if row.role is Role.FAILOVER else _group_branch(row.group, state)


def _group_branch(group: GroupId | None, state: UiState) -> str:
    return f"group:{group}" if group is not None and group in state.groups else "ungrouped"


def connected_standbys(group: GroupId, rows: Iterable[RecorderRow]) -> tuple[RecorderRow, ...]:
    """Failover servers of the group that are connected and on standby: what a manual failover needs (SPEC 4.5)."""
    return tuple(
        row
        for row in rows
        if row.group == group
        and row.role is Role.FAILOVER
        and isinstance(row.assignment, Standby)
        and row.connection is Connection.CONNECTED
    )


def standby_note(group: GroupId, rows: Iterable[RecorderRow]) -> tuple[str, Tone]:
    """``2 standby``; ``1 standby left`` when some are in use or away; ``no standby left`` when all are."""
    rows = tuple(rows)
    every = sum(1 for row in rows if row.group == group and row.role is Role.FAILOVER)
    free = sum(1 for row in connected_standbys(group, rows) if row.health is not Health.BAD)
    if every == 0:
        return "no failover server", Tone.WARNING
    if free == 0:
        return "no standby left", Tone.BAD
    return (f"{free} standby left", Tone.WARNING) if free < every else (f"{free} standby", Tone.MUTED)


def attention_note(rows: Iterable[RecorderRow]) -> tuple[str, Tone]:
    """``3 of 13 need attention``, ``all 13 ready``; the others are those that `ready_text` counts."""
    rows = tuple(rows)
    attention = [row for row in rows if needs_attention(row)]
    if not rows:
        return "no servers yet", Tone.MUTED
    if not attention:
        return ("ready" if len(rows) == 1 else f"all {len(rows)} ready"), Tone.GOOD
    urgent = any(
        row.countdown_ms is not None or (row.readiness is not None and row.readiness.level is Ready.NOT_READY) for row in attention
    )
    tone = Tone.BAD if urgent else Tone.WARNING
    return f"{len(attention)} of {len(rows)} {'needs' if len(attention) == 1 else 'need'} attention", tone


def ready_text(rows: Iterable[RecorderRow]) -> str:
    """``10 of 13 servers ready``, for the status bar: all but those that `attention_note` counts."""
    rows = tuple(rows)
    return f"{sum(1 for row in rows if not needs_attention(row))} of {counted(len(rows), 'server', 'servers')} ready"


def group_members(group: Group, state: UiState) -> tuple[tuple[RecorderRow, ...], tuple[RecorderRow, ...]]:
    """Standard servers by name, and failover servers in the order of preference, then by name."""
    rows = sorted((row for row in state.recorders.values() if row.group == group.id), key=lambda row: natural_key(row.name))
    order = {recorder: place for place, recorder in enumerate(group.preference)}
    failover = sorted((row for row in rows if row.role is Role.FAILOVER), key=lambda row: order.get(row.id, len(order)))
    return tuple(row for row in rows if row.role is Role.STANDARD), tuple(failover)
