"""Rights and roles (SPEC 12). The coordinator checks with the same function that the interface uses to grey a button."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Right(StrEnum):
    """What a role may allow."""

    MONITOR = "monitor"
    FAILOVER = "failover"
    SETTINGS = "settings"
    USERS = "users"


class RoleName(StrEnum):
    """The built-in roles."""

    ADMINISTRATOR = "Administrator"
    OPERATOR = "Operator"
    MONITORING = "Monitoring"


ROLE_RIGHTS: dict[RoleName, frozenset[Right]] = {
    RoleName.ADMINISTRATOR: frozenset(Right),
    RoleName.OPERATOR: frozenset({Right.MONITOR, Right.FAILOVER}),
    RoleName.MONITORING: frozenset({Right.MONITOR}),
}

_NEEDED_FOR: dict[Right, str] = {
    Right.MONITOR: "see the system",
    Right.FAILOVER: "start, hold or abort a failover or a failback",
    Right.SETTINGS: "change system data",
    Right.USERS: "change users and roles",
}


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: a person with a role, or the coordinator itself (no role, `name` "Coordinator")."""

    name: str
    role: RoleName | None = None


COORDINATOR = Actor(name="Coordinator")


def missing_right(role: RoleName | None, right: Right) -> str | None:
    """None if the role has the right, else one sentence that says what is missing and what to do."""
    if role is not None and right in ROLE_RIGHTS[role]:
        return None
    who = f"The role {role.value}" if role is not None else "A user without a role"
    able = " or ".join(name.value for name in RoleName if right in ROLE_RIGHTS[name])
    return f"{who} may not {_NEEDED_FOR[right]}; ask someone with the role {able}."
