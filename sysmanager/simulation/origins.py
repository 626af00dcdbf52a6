"""Rules about where things come from, and whether they come at all: every fact has its rule, an order twice is one order, no camera is
left dark that somebody could record (SPEC, first law)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.detection import why_not_automatic
from sysmanager.coordinator.state import governing
from sysmanager.domain.camera import Camera, RecordingMode
from sysmanager.domain.ids import CameraId, Epoch, RecorderId
from sysmanager.domain.recorder import Acting, Recorder, Recording, Role
from sysmanager.domain.rights import COORDINATOR, missing_right
from sysmanager.engine.core import Batch
from sysmanager.protocol.clients import RIGHT_FOR
from sysmanager.protocol.recorders import Order, Record, StandDown
from sysmanager.simulation import poison_rules, takeover
from sysmanager.simulation.recorder import SimulatedRecorder

if TYPE_CHECKING:
    from sysmanager.simulation.world import World

EVERY_FACT = "every fact has its rule"
ONE_MEANING = "one meaning per epoch"
NEVER_LEFT = "no camera left dark"
OFF_IS_OFF = "what is off is not recorded"
TAKEN_OVER = "who can take over does"
NAMES = (EVERY_FACT, ONE_MEANING, NEVER_LEFT, OFF_IS_OFF, TAKEN_OVER)

ROWS: dict[type, frozenset[int]] = {
    f.FailoverWaiting: frozenset({13}),
    f.ServerReserved: frozenset({12}),
    f.AttemptEnded: frozenset({31, 32, 34}),
    f.DocumentsChecked: frozenset({20}),
    f.SettingsSaved: frozenset({30, 404}),
    f.TasksMoved: frozenset({41, 401, 406, 408}),
    f.ResultWritten: frozenset({50}),
    f.ClientsNotified: frozenset({51}),
    f.GapsMeasured: frozenset({60}),
    f.FailoverCancelled: frozenset({11, 15, 402}),
    f.FailoverFailed: frozenset({10, 21, 22, 33, 40, 400, 405, 407}),
    f.FailbackStarted: frozenset({103}),
    f.FailbackDocumentsTaken: frozenset({110}),
    f.FailbackSaved: frozenset({120}),
    f.FailbackCommitted: frozenset({131, 133}),
    f.FailbackPerformed: frozenset({140}),
    f.FailbackNotified: frozenset({141}),
    f.FailbackUndoing: frozenset({101, 132, 134}),
    f.FailbackUndone: frozenset({12, 101, 111, 121, 122, 130, 132, 134, 150, 151}),
    f.SessionsPassed: frozenset({135, 152, 153, 409}),
}
"""Which rows may give a fact about an entry when nobody asked for it: written down a second time, apart from the tables."""

SLACK_MS = 10_000
"""So long beyond the detection timeout a camera may stay dark that somebody could record."""

OFF_SLACK_MS = 4_000
"""A simulated server looks at its schedules with every heartbeat."""

WELL_MS = 8_000
"""A server that may take over counts from when it was well for so long: a start with its question takes 5 s and its first frames more."""

Check = Callable[[str, str | None], None]
Well = Callable[[SimulatedRecorder], bool]
"""Whether nothing is wrong with a server, or on its way, and has not been for a while."""


class Origins:
    """The rules over one world."""

    def __init__(self, world: World, check: Check) -> None:
        self._world = world
        self._check = check
        self._meant: dict[tuple[RecorderId, Epoch], tuple[type, RecorderId | None]] = {}
        self._dark_ms: dict[CameraId, int] = {}
        self._chances_ms: dict[takeover.Chance, int] = {}
        self._cameras: tuple[tuple[Recorder, ...], tuple[frozenset[CameraId], ...]] | None = None
        self._scheduled: list[tuple[SimulatedRecorder, frozenset[CameraId]]] = []
        self._unrecorded: list[tuple[Recorder, tuple[Camera, ...]]] = []

    # ------------------------------------------------------------ facts

    def decided(self, batch: Batch) -> None:
        """What was decided in one transaction, by rows or at the wish of somebody who may."""
        taken = set(batch.rows)
        for record in batch.records:
            name = type(record.fact).__name__
            if record.actor != COORDINATOR:
                tags = {kind.__struct_config__.tag: right for kind, right in RIGHT_FOR.items()}  # type: ignore[attr-defined]
                right = tags.get(record.answer.request) if record.answer is not None else None
                missing = missing_right(record.actor.role, right) if right is not None else None
                self._check(EVERY_FACT, f"{record.actor.name} may not cause {name}: {missing}" if missing else None)
            elif type(record.fact) in ROWS and getattr(record.fact, "opening", None) is None:
                none = not ROWS[type(record.fact)] & taken
                self._check(EVERY_FACT, f"{name} comes from none of its rows; the rows taken were {sorted(taken)}." if none else None)

    # ------------------------------------------------------------ orders

    def order(self, recorder: RecorderId, order: Order) -> None:
        """Whatever is sent under one epoch says the same: so that a repeated step has no other effect."""
        if not isinstance(order, Record | StandDown):
            return
        says = (type(order), order.home if isinstance(order, Record) else None)
        known = self._meant.setdefault((recorder, order.epoch), says)
        sentence = f"{recorder} is told under epoch {order.epoch} once {known[0].__name__} and once {says[0].__name__}."
        self._check(ONE_MEANING, None if known == says else sentence)

    # ------------------------------------------------------------ cameras

    @property
    def counting(self) -> bool:
        """Whether a camera is dark that somebody should record, or could."""
        return bool(self._dark_ms or self._chances_ms)

    def look(self) -> None:
        """During faults as well: who waits too long for frames that somebody could record by the rules."""
        world, state = self._world, self._world.shadow
        if not world.entered_facts:
            return
        self._look_at_cameras()
        for recorder, scheduled in self._scheduled:
            self._check(OFF_IS_OFF, self._records_what_is_off(recorder, scheduled))
        now_ms, dark = world.agenda.now_ms, dict[CameraId, int]()
        chances: list[takeover.Chance] = []
        for holder, unrecorded in self._unrecorded:
            chances += takeover.chances(world, holder, unrecorded, self._well)
            for camera in unrecorded:
                if world.is_off(camera.id, holder.id):
                    continue
                if not self._owed(holder, camera.id, camera.sessions):
                    continue
                since_ms = dark[camera.id] = self._dark_ms.get(camera.id, now_ms)
                limit_ms = governing(state, holder).detection_timeout_s * 1000 + SLACK_MS
                late = now_ms - since_ms > limit_ms
                self._check(NEVER_LEFT, f"{camera.id}, which {holder.id} has, is dark for {now_ms - since_ms} ms." if late else None)
        self._dark_ms = dark
        poison_rules.look(world, self._check)
        self._chances_ms = {chance: self._chances_ms.get(chance, now_ms) for chance in chances}
        for (lost, server, noticed_ms), since_ms in self._chances_ms.items():
            late = now_ms - since_ms > noticed_ms + SLACK_MS
            sentence = f"{lost} is dark for {now_ms - since_ms} ms, and {server} could have taken over after {noticed_ms} ms."
            self._check(TAKEN_OVER, sentence if late else None)
        self._check(NEVER_LEFT, None)

    def _look_at_cameras(self) -> None:
        """Who records which scheduled cameras, and which cameras that move nobody records now: worked out when anything of it changed."""
        recorders, rows = self._world.recorders.values(), tuple(self._world.shadow.recorders.values())
        now = (rows, tuple(recorder.capture.recorded() for recorder in recorders))
        if self._cameras == now:
            return
        self._cameras, hours = now, self._world.hours.keys()
        self._scheduled = [(recorder, cameras & hours) for recorder, cameras in zip(recorders, now[1], strict=True) if cameras & hours]
        recorded = frozenset[CameraId]().union(*now[1])
        holders: dict[RecorderId | None, Recorder] = {}
        for row in rows:
            holders.setdefault(row.home, row)
        self._unrecorded = [
            (holders[home.id], unrecorded)
            for home in rows
            if home.role is Role.STANDARD and home.id in holders
            if (unrecorded := tuple(one for one in home.settings.cameras if one.moves and one.id not in recorded))
        ]

    def _records_what_is_off(self, recorder: SimulatedRecorder, scheduled: Iterable[CameraId]) -> str | None:
        """Its clock may have been set between two heartbeats; and after a hang it has its next heartbeat to find out the time."""
        world, now_ms = self._world, self._world.now(recorder.id).wall_ms
        went_on_ms = recorder.trouble.went_on_ms
        unsteady_ms = max(world.stepped_ms.get(recorder.id, -OFF_SLACK_MS), -OFF_SLACK_MS if went_on_ms is None else went_on_ms)
        steady = world.agenda.now_ms - unsteady_ms >= OFF_SLACK_MS
        if not steady or recorder.trouble.hung or not recorder.up:
            return None
        for camera in scheduled:
            spell = world.hours[camera].spell(now_ms)
            if spell.mode is RecordingMode.OFF and now_ms - spell.from_ms > OFF_SLACK_MS:
                return f"{recorder.id} records {camera}, which is off."
        return None

    def _owed(self, holder: Recorder, camera: CameraId, sessions: int) -> bool:
        """Whether the server that has the camera in system data is well, so that it should record it without anybody's help."""
        world, state = self._world, self._world.shadow
        server = world.recorders[holder.id]
        if not isinstance(holder.assignment, Recording | Acting) or not self._well(server) or not world.cameras.reaches(server.id, camera):
            return False
        if world.cameras.full(camera, server.id, sessions):
            return False
        if camera in world.cameras.poison or server.capture.suspicion.quarantined(camera):
            return False
        entry = state.failovers.get(holder.assignment.failover) if isinstance(holder.assignment, Acting) else None
        left = {one.camera for one in entry.not_moved} if entry is not None else set()
        without = set(server.persisted.without)
        asked = why_not_automatic(state, holder) is None and state.reconcile is None
        return asked and camera not in left and camera not in without and server.persisted.epoch <= holder.assignment.epoch

    def _well(self, server: SimulatedRecorder) -> bool:
        """Nothing is wrong with it or on its way, and the coordinator hears; both for a while."""
        world, now_ms, trouble = self._world, self._world.agenda.now_ms, server.trouble
        if server.up_since_ms is None or now_ms - server.up_since_ms < WELL_MS or world.hearing.hearing_for_ms(now_ms) < WELL_MS:
            return False
        odd = (
            trouble.hung
            or trouble.lie is not None
            or server.faults
            or server.save_fails
            or server.lost_disks
            or world.coordinator.appending
        )
        usual = server.pace.fetch_ms[1] <= 600 and server.pace.first_frame_ms[1] <= 3_000
        return bool(server.up and not odd and usual and world.network.open(world.links[server.id]))
