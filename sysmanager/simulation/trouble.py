"""What is wrong with one simulated server beyond what a switch can say: it hangs, it lies, its disks were lost for a while."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sysmanager.protocol.recorders import Beat, OrderAnswer
from sysmanager.recorder.supervision import HELD_MS


class Trouble:
    """hung: its processes are stopped, and go on later. went_on_ms: when they last did; None: never. leaving: its Watchdog announced a
    shutdown, and says no more. announced: it ever did. ran_ms: from when to when its service ran, when it last ended.

    lie, lie_answer: what it says instead of the truth. disks_lost_ms, disks_mended_ms: when, last, none of its disks could be written any
    more, and when one could again; None: never, not yet. copied: a second server announces itself under its id. lied: it ever
    did. ahead: it ever said that it knew a newer epoch than it does. spoken_for_until_ms: so long its Watchdog speaks beside the service.
    """

    def __init__(self) -> None:
        self.hung = False
        self.went_on_ms: int | None = None
        self.leaving = False
        self.announced = False
        self.spoken_for_until_ms = 0
        self.lie: Callable[[Beat], Beat] | None = None
        self.lie_answer: Callable[[OrderAnswer], OrderAnswer] | None = None
        self.lied = False
        self.copied = False
        self.ahead = False
        self.ran_ms: tuple[int, int] | None = None
        self.disks_lost_ms: int | None = None
        self.disks_mended_ms: int | None = None
        self._held: list[Callable[[], object]] = []

    def hold(self, act: Callable[..., object], *args: object) -> bool:
        """Whether it hangs; then this is done when it goes on."""
        if self.hung:
            self._held.append(partial(act, *args))
        return self.hung

    def take_held(self, now_ms: int) -> list[Callable[[], object]]:
        """It hangs no more: what is to be done now, in the order in which it came."""
        if self.hung:
            self.hung, self.went_on_ms = False, now_ms
        held, self._held = self._held, []
        return held

    def end(self, up_since_ms: int | None, now_ms: int) -> None:
        """The processes end, and what they held is gone. up_since_ms: since when the service ran, if it did."""
        self.take_held(now_ms)
        if up_since_ms is not None:
            self.ran_ms = (up_since_ms, now_ms)

    def stays(self, now_ms: int) -> None:
        """It is not shut down: the Watchdog that announced it is gone, and another one takes up its service."""
        self.leaving, self.spoken_for_until_ms = False, now_ms + HELD_MS

    def tell_the_truth(self) -> None:
        self.lie = self.lie_answer = None

    def disks(self, *, lost: bool, now_ms: int) -> None:
        """Keep the moments since when all disks are lost, and were mended."""
        if lost and (self.disks_lost_ms is None or self.disks_mended_ms is not None):
            self.disks_lost_ms, self.disks_mended_ms = now_ms, None
        elif not lost and self.disks_lost_ms is not None and self.disks_mended_ms is None:
            self.disks_mended_ms = now_ms
