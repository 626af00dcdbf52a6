"""Every action in every situation for every role, as an explicit table; and that interface and coordinator use one rule of rights."""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import pytest

from sysmanager.domain.rights import Actor, RoleName, missing_right
from sysmanager.ui.state.conditions import _RIGHTS, NO_LINK, Action, Condition, condition
from tests.ui.situations import SITUATIONS

TABLE = Path(__file__).with_name("conditions.tsv")
"""situation, action, then for Administrator, Operator and Monitoring: ``enabled``, ``hidden``, ``right`` or the reason."""


def told(action: Action, situation: str, role: RoleName) -> str:
    """What the condition is, in the words of the table."""
    state = msgspec.structs.replace(SITUATIONS[situation], actor=Actor(name="somebody", role=role))
    now = condition(action, state)
    if not now.visible:
        return "hidden"
    if now.enabled:
        return "enabled"
    return "right" if now.reason == missing_right(role, _RIGHTS[action]) else now.reason


def rows() -> list[tuple[str, str, str, str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [(row[0], row[1], row[2], row[3], row[4]) for row in csv.reader(file, delimiter="\t")]


def test_the_table_has_a_row_for_every_action_in_every_situation() -> None:
    assert [(situation, action) for situation, action, *_ in rows()] == [(s, a.value) for s in SITUATIONS for a in Action]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_conditions(situation: str) -> None:
    for named, action, *expected in rows():
        if named == situation:
            assert [told(Action(action), situation, role) for role in RoleName] == expected, f"{situation}: {action}"


def test_every_reason_is_a_sentence() -> None:
    for _, _, *outcomes in rows():
        for outcome in outcomes:
            assert outcome in ("enabled", "hidden", "right") or ((outcome[0].isupper() or outcome[0] == "R") and outcome.endswith("."))


def test_a_session_without_a_role_may_nothing() -> None:
    state = msgspec.structs.replace(SITUATIONS["well"], actor=Actor(name="nobody"))
    for action in Action:
        assert not condition(action, state).enabled


def test_a_hidden_action_is_not_enabled_even_without_a_reason() -> None:
    assert not Condition(visible=False).enabled


def test_the_reason_of_a_lost_link_says_what_to_do() -> None:
    assert condition(Action.START_FAILOVER, SITUATIONS["link lost"]).reason == NO_LINK
