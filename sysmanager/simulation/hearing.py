"""What the coordinator could really hear, as the world knows it: the measure for every blame of silence."""

from __future__ import annotations

from sysmanager.domain.ids import RecorderId

UNHEARD_MS = 1_500
"""A shorter stretch in which the coordinator could not hear is within the tolerance of the rule: three beacons (SPEC 4)."""


class Hearing:
    """heard_ms: when the last message of each recorder reached the running coordinator, in virtual time. own_ms: when the last one
    arrived, believed or not, that did not come from a second server of the same id. copied_ms: when the first one of such a second server
    arrived. started_ms: of this life of it."""

    def __init__(self) -> None:
        self.heard_ms: dict[RecorderId, int] = {}
        self.own_ms: dict[RecorderId, int] = {}
        self.copied_ms: dict[RecorderId, int] = {}
        self.started_ms = 0
        self._deaf_since: int | None = None
        self._deaf: list[tuple[int, int]] = []

    def start(self, now_ms: int) -> None:
        self.heard_ms.clear()
        self.own_ms.clear()
        self.copied_ms.clear()
        self.started_ms = now_ms
        self._deaf_since = None
        self._deaf.clear()

    def deaf_from(self, now_ms: int) -> None:
        if self._deaf_since is None:
            self._deaf_since = now_ms

    def hears_again(self, now_ms: int) -> None:
        if self._deaf_since is not None:
            self._deaf.append((self._deaf_since, now_ms))
            self._deaf_since = None

    def beside(self, recorder: RecorderId) -> bool:
        """Whether the recorder itself was heard after a second server of the same id was: so that one of them must be a copy."""
        own_ms = self.own_ms.get(recorder)
        return own_ms is not None and self.copied_ms.get(recorder, own_ms) < own_ms

    def hearing_for_ms(self, now_ms: int) -> int:
        """For how long the coordinator has heard without a break; 0 while it does not."""
        if self._deaf_since is not None:
            return 0
        return now_ms - max([self.started_ms, *(end for _, end in self._deaf)])

    def silence_ms(self, recorder: RecorderId, now_ms: int) -> int:
        """How long the recorder was silent while the coordinator could hear; from its start if it was never heard."""
        return self._unheard_since_ms(self.heard_ms.get(recorder, self.started_ms), now_ms)

    def own_silence_ms(self, recorder: RecorderId, now_ms: int) -> int:
        """As `silence_ms`, whatever a second server of the same id says."""
        return self._unheard_since_ms(self.own_ms.get(recorder, self.started_ms), now_ms)

    def _unheard_since_ms(self, since_ms: int, now_ms: int) -> int:
        stretches = [*self._deaf, *([(self._deaf_since, now_ms)] if self._deaf_since is not None else [])]
        unheard_ms = sum(max(0, end - max(begin, since_ms)) for begin, end in stretches if end - begin > UNHEARD_MS)
        return now_ms - since_ms - unheard_ms
