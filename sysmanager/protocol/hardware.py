"""What a machine is made of, in numbers that two failover servers can be compared by (SPEC 2, 5)."""

from __future__ import annotations

import msgspec

from sysmanager.protocol.values import Count, Text


class Hardware(msgspec.Struct, frozen=True, array_like=True):
    """Summary of a server's machine. cores: logical processors; memory_mb: in all; 0 where it is not known. processor: its name."""

    cores: Count = 0
    memory_mb: Count = 0
    processor: Text = ""

    @property
    def rating(self) -> int:
        """The greater, the better: what recording without re-encoding needs is cores first, then memory, in whole GB below 1000."""
        return self.cores * 1000 + min(999, (self.memory_mb + 512) // 1024)

    @property
    def words(self) -> str:
        """``8 cores, 32 GB``; empty where nothing is known."""
        parts = [f"{self.cores} cores"] if self.cores else []
        parts += [f"{(self.memory_mb + 512) // 1024} GB"] if self.memory_mb >= 1024 else []
        return ", ".join(parts)
