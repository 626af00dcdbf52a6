"""Identifiers. Plain text in every encoding, distinct types for the reader and the type checker."""

from __future__ import annotations

import re
from typing import NewType

RecorderId = NewType("RecorderId", str)
CameraId = NewType("CameraId", str)
GroupId = NewType("GroupId", str)
FailoverId = NewType("FailoverId", str)
InstanceId = NewType("InstanceId", str)
JobId = NewType("JobId", str)
DocumentHash = NewType("DocumentHash", str)
"""SHA-256 of a canonical document, 64 hexadecimal digits (SPEC 3)."""

Epoch = NewType("Epoch", int)
"""Number of an assignment of cameras; it only grows within a site (SPEC 13.1). 0: as configured on the recorder itself."""

_IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


SHOWN_LIMIT = 64


def shown(text: str) -> str:
    """What somebody sent as an id or a name, fit for a sentence: printable and short (SPEC 18)."""
    plain = "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:SHOWN_LIMIT])
    return plain + "\u2026" if len(text) > SHOWN_LIMIT else plain


def is_identifier(text: str) -> bool:
    """Whether the text can name a server, camera or group: letters, digits, ``-`` and ``_``, 64 at most.

    The same set is safe in a bus subject, in a file name on every system and on a command line.
    """
    return _IDENTIFIER.fullmatch(text) is not None
