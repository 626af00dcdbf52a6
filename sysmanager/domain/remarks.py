"""What people write on an entry of the failover log after it was made: comments, and the to-do list ticked off (SPEC 11)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.rights import Actor

COMMENT_LIMIT = 2_000
"""Longest comment, in characters."""

COMMENTS_PER_ENTRY = 200
"""So many comments one entry takes: it must stay small enough to be shown and sent whole."""


class Comment(msgspec.Struct, frozen=True, kw_only=True):
    """Said by a person about an entry. Never edited, never removed."""

    actor: Actor
    at_ms: int
    text: str


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the to-do list that a person did, or took back. item: its place in `Failover.to_do`, from 0."""

    item: int
    done: bool
    actor: Actor
    at_ms: int
