"""The simulated network between the coordinator and each recorder: loss, delay, duplication, reordering, cuts in one direction or both."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from sysmanager.simulation.agenda import Agenda

BUS_MS = 2
"""A message that meets no trouble."""


class Link:
    """The way between the coordinator and one recorder.

    up_cut, down_cut: nothing arrives from, or at, the recorder. loss, double: share of messages lost, or delivered twice.
    slow_ms: messages take up to so much longer; orders, questions and answers each for themselves, so that they overtake one another.
    peers_cut: other servers do not reach it either.
    last_ms: when the last heartbeat arrives that was sent. slowest_ms: how slow it ever was.
    """

    __slots__ = ("double", "down_cut", "last_ms", "loss", "peers_cut", "slow_ms", "slowest_ms", "up_cut")

    def __init__(self) -> None:
        self.last_ms = 0
        self.slowest_ms = 0
        self.heal()

    def heal(self) -> None:
        self.up_cut = False
        self.down_cut = False
        self.peers_cut = False
        self.loss = 0.0
        self.double = 0.0
        self.slow_ms = 0

    @property
    def clean(self) -> bool:
        return not (self.loss or self.double or self.slow_ms)


class Network:
    """All links, and the coordinator's own connection to the bus.

    cut: the coordinator is cut off from the bus: its canary does not return either.
    """

    def __init__(self, agenda: Agenda, chance: random.Random) -> None:
        self._agenda = agenda
        self._chance = chance
        self.cut = False

    def open(self, link: Link) -> bool:
        """Whether everything arrives in its time, in both directions."""
        return not (self.cut or link.up_cut or link.down_cut or link.loss or link.double or link.slow_ms)

    def up(self, link: Link, deliver: Callable[..., object], *args: Any) -> None:
        """From the recorder to the coordinator."""
        if not (self.cut or link.up_cut):
            self._send(link, deliver, args)

    def up_in_order(self, link: Link, deliver: Callable[..., object], *args: Any) -> None:
        """As `up`, for what a recorder publishes: late or lost, but in the order of its sender and once, as every bus promises."""
        if self.cut or link.up_cut or (link.loss and self._chance.random() < link.loss):
            return
        arrives_ms = self._agenda.now_ms + BUS_MS + (self._chance.randint(0, link.slow_ms) if link.slow_ms else 0)
        link.last_ms = max(link.last_ms, arrives_ms)
        self._agenda.after(link.last_ms - self._agenda.now_ms, deliver, *args)

    def down(self, link: Link, deliver: Callable[..., object], *args: Any) -> None:
        """From the coordinator to the recorder."""
        if not (self.cut or link.down_cut):
            self._send(link, deliver, args)

    def canary(self, deliver: Callable[..., object], *args: Any) -> None:
        """From the coordinator through the bus to itself."""
        if not self.cut:
            self._agenda.after(BUS_MS, deliver, *args)

    def _send(self, link: Link, deliver: Callable[..., object], args: tuple[Any, ...]) -> None:
        if link.clean:
            self._agenda.after(BUS_MS, deliver, *args)
            return
        copies = 2 if link.double and self._chance.random() < link.double else 1
        for _ in range(copies):
            if not link.loss or self._chance.random() >= link.loss:
                self._agenda.after(BUS_MS + self._chance.randint(0, link.slow_ms), deliver, *args)
