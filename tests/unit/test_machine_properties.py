"""Whatever comes in whatever order, with kills anywhere: epochs never go back, no order gets two different answers, nothing is recorded
under an epoch that is not durable."""

from __future__ import annotations

import contextlib

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from sysmanager.domain.ids import CameraId, Epoch, RecorderId
from sysmanager.protocol.recorders import Beacon, GoOn, Obeyed, Record, Refusal, RefusalReason, StandDown
from sysmanager.recorder import machine as m
from tests.helpers.machine_world import DISK, FOREIGN, HOME, KEY, OWN, SERVER, Killed, World

EPOCHS = st.integers(1, 8).map(Epoch)
ORDERS = st.one_of(
    st.builds(StandDown, key=st.just(KEY), epoch=EPOCHS),
    st.builds(
        Record,
        key=st.just(KEY),
        epoch=EPOCHS,
        home=st.sampled_from([HOME, SERVER, RecorderId("yard")]),
        documents=st.sampled_from([FOREIGN, OWN, None]),
        without=st.sampled_from([(), (CameraId("c1"),)]),
    ),
)
PASSING = (RefusalReason.CANNOT_SAVE, RefusalReason.NO_WRITABLE_DISK, RefusalReason.SERVICE_DOWN, RefusalReason.DOCUMENTS_MISSING)


class Life(RuleBasedStateMachine):
    """One recorder through many lives of its process."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.highest = Epoch(0)
        self.obeyed: dict[Epoch, Record | StandDown] = {}

    @initialize(standby=st.booleans())
    def begin(self, standby: bool) -> None:
        self.world = World(SERVER, standby=standby)
        self.world.start()

    @rule(order=ORDERS)
    def give(self, order: Record | StandDown) -> None:
        self.check(order, self.world.order(order))

    @rule(order=ORDERS, kill_after=st.integers(0, 6), repeat=st.booleans())
    def kill_in_the_middle(self, order: Record | StandDown, kill_after: int, repeat: bool) -> None:
        world = self.world
        world.kill_after = len(world.done) + kill_after
        answer = None
        with contextlib.suppress(Killed):
            answer = world.order(order)
        answer = world.answers.get(world.ticket)
        world.kill_after = None
        self.check(order, answer)
        world.start()
        if repeat:
            self.check(order, world.order(order))

    @rule(standing=st.one_of(ORDERS, st.just(GoOn())))
    def answer_ask(self, standing: Record | StandDown | GoOn) -> None:
        self.world.put(m.AskAnswered(answer=standing))

    @rule(duration_ms=st.sampled_from([500, 1000, 5000, 61_000]), beacon=st.booleans())
    def wait(self, duration_ms: int, beacon: bool) -> None:
        self.world.wait(duration_ms)
        if beacon:
            self.world.put(m.BeaconHeard(beacon=Beacon(term=1, sequence=1, wall_ms=1)))

    @rule(full=st.booleans(), writable=st.booleans())
    def change_disks(self, full: bool, writable: bool) -> None:
        self.world.fail_save = full
        self.world.disks = (replace(DISK, writable=writable),)
        self.world.put(m.DisksChanged(disks=self.world.disks))

    @rule()
    def restart(self) -> None:
        self.world.put(m.ServiceStopped(sentence="Told to."))
        self.world.start()

    def check(self, order: Record | StandDown, answer: object) -> None:
        if isinstance(answer, Obeyed):
            assert answer.epoch == order.epoch
            first = self.obeyed.setdefault(order.epoch, order)
            assert type(first) is type(order), "two kinds of order were obeyed under one epoch"
            if isinstance(first, Record) and isinstance(order, Record):
                assert first.home == order.home
        elif isinstance(answer, Refusal) and answer.reason not in PASSING:
            if self.obeyed.get(order.epoch) == order:
                assert answer.reason is RefusalReason.OLD_EPOCH or isinstance(order, Record)
                assert answer.epoch >= order.epoch
            if answer.reason is RefusalReason.OLD_EPOCH:
                assert answer.epoch > order.epoch

    @invariant()
    def epochs_never_go_back(self) -> None:
        assert self.world.durable.epoch >= self.highest
        assert self.world.state.persisted.epoch == self.world.durable.epoch
        self.highest = self.world.durable.epoch

    @invariant()
    def it_records_what_is_durable_and_nothing_else(self) -> None:
        plan, durable, situation = self.world.capture, self.world.durable, self.world.state.situation
        assert (plan is not None) == (situation is m.Situation.RECORDING)
        if plan is not None:
            assert (plan.epoch, plan.home, plan.documents) == (durable.epoch, durable.home, durable.documents)
            assert not {camera.id for camera in plan.cameras} & set(durable.without)

    @invariant()
    def what_it_needs_is_never_forgotten(self) -> None:
        documents = self.world.durable.documents
        if self.world.capture is not None and documents is not None:
            assert {documents.settings, documents.masks, documents.schedules} <= self.world.store


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
