"""What is wrong with what a person typed, in one sentence that names the field (SPEC 18)."""

from __future__ import annotations

from sysmanager.domain.group import Group
from sysmanager.domain.hours import problem_with_hours
from sysmanager.domain.ids import GroupId, RecorderId, is_identifier
from sysmanager.domain.recorder import DETECTION_TIMEOUTS_S, FAILBACK_AFTER_S, RecorderEdit, Role
from sysmanager.ui.state.model import UiState

NAME_LIMIT = 64
ADDRESS_LIMIT = 255
DESCRIPTION_LIMIT = 500


def problem_with(fields: RecorderEdit, state: UiState, own: RecorderId | None) -> str | None:
    """None if the fields can be saved for the server `own` (None: a new one)."""
    name = fields.name.strip()
    if not name:
        return "Name is empty; give the server a name."
    if len(name) > NAME_LIMIT:
        return f"Name is too long; use {NAME_LIMIT} characters at most."
    if any(row.name.casefold() == name.casefold() for row in state.recorders.values() if row.id != own):
        return f"Name “{name}” is taken by another server; choose another."
    if any(character.isspace() for character in fields.address.strip()) or len(fields.address) > ADDRESS_LIMIT:
        return "Address is not a host name or IP address; write it without spaces, such as 10.20.1.13."
    if fields.group is not None and fields.group not in state.groups:
        return "Failover group no longer exists; choose another."
    if fields.role is Role.FAILOVER and fields.group is None:
        return "Failover group is not chosen; a failover server belongs to exactly one group."
    if fields.detection_timeout_s not in DETECTION_TIMEOUTS_S:
        return "Disconnected for is not one of the times that can be chosen."
    if fields.failback_after_s not in FAILBACK_AFTER_S:
        return "Stable for is not one of the times that can be chosen."
    named = (
        ("Within the hours", fields.failback_hours),
        ("Copy hours", fields.material_copy.hours),
        ("Drill hours", fields.drill.hours),
    )
    for label, text in named:
        problem = problem_with_hours(text)
        if problem is not None:
            return f"{label} is wrong: {problem}."
    return None


def problem_with_id(text: str, state: UiState) -> str | None:
    """None if a server with this id can be added."""
    if not text:
        return "Id is empty; choose a server that announces itself, or type the id under which it will."
    if not is_identifier(text):
        return "Id is not possible; use letters, digits, - and _, 64 characters at most, beginning with a letter or digit."
    if RecorderId(text) in state.recorders:
        return f"{text} is in system data already; select it in the tree."
    return None


def problem_with_group(group: Group, state: UiState) -> str | None:
    """None if the group can be saved."""
    name = group.name.strip()
    if not name:
        return "Name is empty; give the group a name."
    if len(name) > NAME_LIMIT:
        return f"Name is too long; use {NAME_LIMIT} characters at most."
    if any(other.name.casefold() == name.casefold() for other in state.groups.values() if other.id != group.id):
        return f"Name “{name}” is taken by another group; choose another."
    if len(group.description) > DESCRIPTION_LIMIT:
        return f"Description is too long; use {DESCRIPTION_LIMIT} characters at most."
    problem = problem_with_hours(group.drill.hours)
    return f"Drill hours is wrong: {problem}." if problem is not None else None


def removal_problem(group: GroupId, state: UiState) -> str | None:
    """None if the group has no members and can be removed."""
    members = sorted(row.name for row in state.recorders.values() if row.group == group)
    if not members:
        return None
    return f"{members[0]}{' and others are' if len(members) > 1 else ' is'} still in the group; move them to another group first."


def new_group_id(name: str, state: UiState) -> GroupId:
    """An id for a new group, made of its name: readable, and not used yet."""
    stem = "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in name).split())[:56] or "group"
    taken = {str(key).casefold() for key in state.groups}
    candidate, number = stem, 2
    while candidate.casefold() in taken:
        candidate, number = f"{stem}-{number}", number + 1
    return GroupId(candidate)


PASSPHRASE_LEAST = 8


def problem_with_backup(file: str, passphrase: str, again: str) -> str | None:
    """What is wrong with the form for a system backup, in one sentence; None if it can be saved."""
    if not file.strip():
        return "Name the file that the backup is saved as."
    if passphrase and len(passphrase) < PASSPHRASE_LEAST:
        return f"A passphrase has {PASSPHRASE_LEAST} characters at least; choose a longer one."
    if passphrase != again:
        return "The two passphrases differ; enter the same one twice."
    return None
