"""System backups (SPEC 7): the baseline after failovers, and the one that a person makes."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from sysmanager.domain.ids import FailoverId, GroupId
from sysmanager.domain.rights import Actor


class BackupKind(StrEnum):
    """Who wants it: the coordinator after a failover, or a person."""

    BASELINE = "baseline"
    MANUAL = "manual"


class RecoveryKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What secrets of a backup are sealed to: the public half of a key that is made from a passphrase. Says nothing of the passphrase.

    salt, cost, block, lanes: how scrypt makes the private half (its n, r and p). public: X25519, 32 bytes.
    """

    salt: bytes
    cost: int
    block: int
    lanes: int
    public: bytes


SALT_BYTES = 16
PUBLIC_BYTES = 32
COSTS = (1 << 14, 1 << 20)
BLOCKS = (1, 16)
LANES = (1, 4)


def unfit_key(key: RecoveryKey) -> str | None:
    """None if the key can be used; else the field that is wrong and what was expected. Guards against costs that would take for ever."""
    if len(key.salt) != SALT_BYTES:
        return f"salt has {len(key.salt)} bytes instead of {SALT_BYTES}"
    if len(key.public) != PUBLIC_BYTES:
        return f"public has {len(key.public)} bytes instead of {PUBLIC_BYTES}"
    if not COSTS[0] <= key.cost <= COSTS[1] or key.cost & (key.cost - 1):
        return f"cost is not a power of two from {COSTS[0]} to {COSTS[1]}"
    if not BLOCKS[0] <= key.block <= BLOCKS[1] or not LANES[0] <= key.lanes <= LANES[1]:
        return "block or lanes is out of its range"
    return None


class BackupFile(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that was made. position: number of the journal's last record in it."""

    number: int
    name: str
    made_ms: int
    size_bytes: int
    position: int


class BaselineStage(StrEnum):
    """Where the baseline stands in the table of its transitions."""

    DONE = "done"
    """Every failover that ended is covered, or its group waits for nothing."""
    RUNNING = "running"
    """Being made, within its time: the queues of the groups that it covers wait for it."""
    LATE = "late"
    """Being made, and its time is over: the queues went on, and an alarm says that the baseline is missing."""
    MISSING = "missing"
    """Could not be made; tried again after a pause."""


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """The automatic backup: the present one, or the last.

    covers: the failovers that ended before it began, each with its group; empty when it is done. since_ms: when the stage began.
    sentence: why it is missing. file: the last that was made.
    """

    stage: BaselineStage = BaselineStage.DONE
    number: int = 0
    covers: tuple[tuple[FailoverId, GroupId], ...] = ()
    since_ms: int = 0
    sentence: str = ""
    file: BackupFile | None = None

    @property
    def being_made(self) -> bool:
        return self.stage in (BaselineStage.RUNNING, BaselineStage.LATE)


class ManualBackup(msgspec.Struct, frozen=True, kw_only=True):
    """The backup that a person asked for last. file: when it was made; sentence: why it was not. Neither while it is being made."""

    number: int
    actor: Actor
    started_ms: int
    file: BackupFile | None = None
    sentence: str = ""

    @property
    def being_made(self) -> bool:
        return self.file is None and not self.sentence


class Backups(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of backups. next_number: of the next one, of either kind. recovery: what secrets in backups are sealed to."""

    next_number: int = 1
    baseline: Baseline = Baseline()
    manual: ManualBackup | None = None
    recovery: RecoveryKey | None = None
