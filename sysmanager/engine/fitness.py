"""Whether a request is looked at at all (SPEC 18)."""

from __future__ import annotations

from sysmanager import wire
from sysmanager.domain.rights import Actor
from sysmanager.protocol.clients import Request

REQUEST_LIMIT_BYTES = 64 * 1024
"""Largest request: what it leads to must fit a record of the journal."""


NAME_LIMIT = 120
"""Longest name of someone who asks."""


def unfit(actor: Actor, request: Request) -> str | None:
    """Why a request is not even looked at; None if it may be."""
    if not actor.name.strip() or len(actor.name) > NAME_LIMIT:
        return f"The name of who asks has 1 to {NAME_LIMIT} characters; correct the field actor.name."
    try:
        size_bytes = len(wire.encode(request))
    except UnicodeEncodeError:
        return "The request holds text that is no valid Unicode; enter it again."
    if size_bytes > REQUEST_LIMIT_BYTES:
        return f"The request has {size_bytes} bytes and may have {REQUEST_LIMIT_BYTES} at most; shorten its texts and lists."
    return None
