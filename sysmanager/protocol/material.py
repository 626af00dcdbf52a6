"""Leave to fetch material: a token for one job and one target, which the source checks with the key of the site (MATERIAL.md)."""

from __future__ import annotations

import hashlib
import hmac

from sysmanager.domain.ids import Epoch, JobId, RecorderId

TOKEN_S = 24 * 3600
"""How long a token lets in; every order carries a new one."""

_VERSION = "1"


def token_for(key: bytes, *, job: JobId, source: RecorderId, target: RecorderId, epoch: Epoch, until_s: int) -> str:
    """A token of four parts: version, job, last second (since 1970) in which it is good, and their seal under the key."""
    return f"{_VERSION}.{job}.{until_s}.{_seal(key, job, source, target, epoch, until_s)}"


def job_of(token: str, key: bytes, *, source: RecorderId, target: RecorderId, epoch: Epoch, now_s: int) -> JobId | None:
    """Whom the token lets in at `source`, to fetch what was recorded under `epoch` for `target`; None if it lets nobody in."""
    parts = token.split(".")
    if len(parts) != 4 or parts[0] != _VERSION or not parts[2].isascii() or not parts[2].isdigit() or len(parts[2]) > 12:
        return None
    job, until_s = JobId(parts[1]), int(parts[2])
    right = _seal(key, job, source, target, epoch, until_s)
    return job if hmac.compare_digest(parts[3].encode(), right.encode()) and now_s <= until_s else None


def _seal(key: bytes, job: JobId, source: RecorderId, target: RecorderId, epoch: Epoch, until_s: int) -> str:
    said = "\n".join((_VERSION, job, source, target, str(epoch), str(until_s)))
    return hmac.new(key, said.encode(), hashlib.sha256).hexdigest()
