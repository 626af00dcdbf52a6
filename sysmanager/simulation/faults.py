"""What can go wrong in a simulated site: each kind with how it begins and how it ends. A scenario lists deeds; a seed draws them."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from sysmanager.domain.ids import DocumentHash, RecorderId
from sysmanager.protocol.practice import Fault
from sysmanager.protocol.recorders import Leaving
from sysmanager.simulation import server_faults
from sysmanager.simulation.clone import clone
from sysmanager.simulation.coordinator import APPEND_MS, CACHE_MS, KillPoint
from sysmanager.simulation.recorder import SimulatedRecorder
from sysmanager.simulation.transfer import RATE_BYTES
from sysmanager.simulation.world import World


class Wrong(StrEnum):
    """Kinds of faults. Those of one server name it in `Deed.target`."""

    CUT = "cut off in both directions"
    MUTE = "cut off towards the coordinator"
    DEAF = "cut off from the coordinator"
    LOSSY = "messages lost"
    SLOW_LINK = "messages late, out of order, some twice"
    DOUBLING = "messages delivered twice"
    POWER = "power off"
    HANG = "hangs"
    FLAP = "cut off again and again"
    SERVICE = "service cannot start"
    STOP = "service ends in order"
    CRASH = "service crashes"
    CRASH_APPLYING = "service crashes while it applies"
    ONE_DISK = "one disk lost"
    ALL_DISKS = "all disks lost"
    DISKS_IN_TURN = "disks lost one by one"
    REFUSE = "refuses settings"
    VANISH = "vanishes when asked"
    SELF_TEST = "self-test fails"
    SAVE_FAILS = "cannot save its state"
    SLOW_SERVER = "slow to apply"
    CAMERA_SLOW = "first frames late"
    LIES = "lies about its state"
    STATE_LOST = "state file lost"
    STATE_OLD = "comes back with an old state"
    DOCUMENTS = "documents changed"
    DOCUMENTS_GONE = "documents lost"
    DOCUMENTS_LOST = "documents lost, and a copy is in the cache"
    CAMERAS = "cameras dark"
    CAMERAS_CUT = "cut off from all cameras"
    FROZEN = "says that it records, and writes nothing"
    SHUTDOWN = "shut down in order"
    MASS = "many cut off at once"
    UNREACHED = "one camera not reached"
    POISON = "one camera crashes whoever opens it"
    CLONE = "a second server of the same id"
    COPY_FULL = "no space for copies"
    COPY_SLOW = "copies slowly"
    COPY_ROTS = "copies rot on its disks"
    COPY_DAMAGED = "serves damaged footage"
    PREROLL_LIE = "says that it keeps pre-roll, and cannot"
    SERVER_CLOCK = "server's clock steps"
    KILLED = "coordinator killed"
    PAUSED = "coordinator paused"
    BUS = "coordinator cut off from the bus"
    CLOCK = "coordinator's clock steps"
    DISK_SLOW = "journal slow"
    DISK_FAILS = "journal fails to append"
    JOURNAL_CUT = "journal loses its tail"
    CACHE_LOST = "document lost from the cache"
    CACHE_SLOW = "cache slow to answer"
    BLACKOUT = "power cut of the whole site"
    BACKUP_SLOW = "backups slow"
    BACKUP_FAILS = "backups cannot be made"
    RESTORED = "coordinator restored from an old backup"


class Deed(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. at_ms: when it begins. lasts_ms: until it is mended; 0: until the world heals, or it is over at once.

    amount: how strong, as its kind takes it.
    """

    at_ms: int
    what: Wrong
    target: str = ""
    lasts_ms: int = 0
    amount: int = 0


SHUTDOWN_MS = 8_000
"""From the announcement of a shutdown to the end."""

Mend = Callable[[], None]


def enter(world: World, deeds: tuple[Deed, ...]) -> None:
    """Let all of them happen in their time, counted from now."""
    for deed in deeds:
        world.after(deed.at_ms, do, world, deed)


def do(world: World, deed: Deed) -> None:
    """Let it happen now."""
    world.moves += 1
    world.counts["fault", deed.what.value] += 1
    about = f" {deed.target}" if deed.target else ""
    lasts = f", for {deed.lasts_ms / 1000:g} s" if deed.lasts_ms else ""
    world.tell(f"fault:{about} {deed.what.value}{lasts}")
    mend = SITE_DEEDS[deed.what](world, deed) if deed.what in SITE_DEEDS else _server(world, deed)
    if mend is not None:
        mends = world.mends.setdefault((deed.what.value, deed.target), [])
        mends.append(mend)
        if deed.lasts_ms:
            world.after(deed.lasts_ms, _over, world, deed)


def _over(world: World, deed: Deed) -> None:
    mends = world.mends.get((deed.what.value, deed.target))
    world.moves += 1
    if mends:
        mends.pop()()
        world.tell(f"over: {deed.target} {deed.what.value}")


def heal(world: World) -> None:
    """Mend everything that is wrong now, and switch everything on."""
    for mends in world.mends.values():
        while mends:
            mends.pop()()
    coordinator = world.coordinator
    coordinator.kill_at = None
    coordinator.kill_starts = 0
    coordinator.kill_at_cache = False
    coordinator.fail_appends = 0
    coordinator.fail_backups = 0
    for link in world.links.values():
        link.heal()
    for recorder in world.recorders.values():
        recorder.mend()
    world.cameras.dark.clear()
    world.cameras.cut.clear()
    world.cameras.unreached.clear()
    world.cameras.poison.clear()
    for recorder in world.recorders.values():
        recorder.cameras_changed()


# ---------------------------------------------------------------- one server


_PLAIN = {
    Wrong.POWER: Fault.POWER,
    Wrong.SERVICE: Fault.SERVICE,
    Wrong.ONE_DISK: Fault.ONE_DISK,
    Wrong.ALL_DISKS: Fault.ALL_DISKS,
    Wrong.REFUSE: Fault.REFUSE,
    Wrong.VANISH: Fault.VANISH,
    Wrong.SELF_TEST: Fault.SELF_TEST,
}


_OWN: dict[Wrong, Callable[[World, SimulatedRecorder, int], Mend | None]] = {
    Wrong.HANG: server_faults.hang,
    Wrong.STOP: server_faults.stop,
    Wrong.FLAP: server_faults.flap,
    Wrong.DISKS_IN_TURN: server_faults.disks_one_by_one,
    Wrong.LIES: server_faults.lie,
    Wrong.STATE_OLD: server_faults.old_state,
    Wrong.STATE_LOST: server_faults.state_lost,
    Wrong.UNREACHED: server_faults.unreached,
    Wrong.POISON: server_faults.poison,
    Wrong.DOCUMENTS_LOST: server_faults.documents_gone,
    Wrong.DOCUMENTS: server_faults.edit_documents,
}


def _server(world: World, deed: Deed) -> Mend | None:
    recorder = world.recorders[RecorderId(deed.target)]
    if deed.what in _PLAIN:
        return _plain(world, recorder, _PLAIN[deed.what])
    if deed.what in _OWN:
        return _OWN[deed.what](world, recorder, deed.amount)
    link = world.links[recorder.id]
    match deed.what:
        case Wrong.CUT | Wrong.MUTE | Wrong.DEAF | Wrong.LOSSY | Wrong.SLOW_LINK | Wrong.DOUBLING:
            link.up_cut |= deed.what in (Wrong.CUT, Wrong.MUTE)
            link.down_cut |= deed.what in (Wrong.CUT, Wrong.DEAF)
            link.peers_cut |= deed.what is Wrong.CUT and deed.amount == 1
            if deed.what is Wrong.LOSSY:
                link.loss = deed.amount / 100
            elif deed.what is Wrong.SLOW_LINK:
                link.slow_ms, link.double = deed.amount, 0.5
                link.slowest_ms = max(link.slowest_ms, deed.amount)
            elif deed.what is Wrong.DOUBLING:
                link.double = deed.amount / 100
            return link.heal
        case Wrong.CRASH:
            recorder.crash()
        case Wrong.CRASH_APPLYING:
            recorder.crash_in = deed.amount
        case Wrong.SAVE_FAILS:
            recorder.save_fails = True
            return lambda: setattr(recorder, "save_fails", False)
        case Wrong.SLOW_SERVER:
            usual = recorder.pace
            recorder.pace = msgspec.structs.replace(
                usual, fetch_ms=(deed.amount // 2, deed.amount), save_ms=(deed.amount // 4, deed.amount // 2)
            )
            return lambda: setattr(recorder, "pace", usual)
        case Wrong.CAMERA_SLOW:
            return _late_frames(recorder, deed.amount)
        case Wrong.PREROLL_LIE:
            return _lying(recorder)
        case Wrong.DOCUMENTS_GONE:
            recorder.store.clear()
        case Wrong.CAMERAS:
            return _darken(world, recorder)
        case Wrong.CAMERAS_CUT:
            return _cut_cameras(world, recorder)
        case Wrong.FROZEN:
            recorder.capture.frozen = True
            return lambda: setattr(recorder.capture, "frozen", False)
        case Wrong.SHUTDOWN:
            return _shut_down(world, recorder)
        case Wrong.CACHE_LOST:
            _lose_from_cache(world, recorder.id)
        case Wrong.COPY_FULL | Wrong.COPY_SLOW | Wrong.COPY_ROTS | Wrong.COPY_DAMAGED:
            return _copies_badly(recorder, deed.what)
        case Wrong.CLONE:
            return clone(world, recorder, deed.amount)
        case Wrong.SERVER_CLOCK:
            world.wall_steps[recorder.id] = deed.amount
            world.stepped_ms[recorder.id] = world.agenda.now_ms
        case _:
            raise ValueError(f"{deed.what} is no fault of one server")
    return None


def _late_frames(recorder: SimulatedRecorder, amount_ms: int) -> Mend:
    """Its cameras take so long for their first frames, as with long distances between key frames."""
    usual = recorder.pace.first_frame_ms

    def set_to(span_ms: tuple[int, int]) -> None:
        recorder.pace = recorder.capture.pace = msgspec.structs.replace(recorder.pace, first_frame_ms=span_ms)

    set_to((amount_ms // 2, amount_ms))
    return lambda: set_to(usual)


def _copies_badly(recorder: SimulatedRecorder, what: Wrong) -> Mend:
    transfer = recorder.transfer

    def set_to(present: bool) -> None:
        match what:
            case Wrong.COPY_FULL:
                transfer.disk_full = present
            case Wrong.COPY_SLOW:
                transfer.rate_bytes = RATE_BYTES // (50 if present else 1)
            case Wrong.COPY_ROTS:
                transfer.lies = present
            case _:
                recorder.serves_damaged = present

    set_to(True)
    return lambda: set_to(False)


def _plain(world: World, recorder: SimulatedRecorder, fault: Fault) -> Mend:
    since = world.broken_since.setdefault(recorder.id, {})
    recorder.set_fault(fault, True)
    if fault is Fault.SERVICE:
        since["service mended"] = 1 << 60

    def mend() -> None:
        recorder.set_fault(fault, False)
        if fault is Fault.SERVICE:
            since["service mended"] = world.agenda.now_ms
        if fault is Fault.VANISH:
            recorder.set_fault(Fault.POWER, False)

    return mend


def _lying(recorder: SimulatedRecorder) -> Mend:
    """It says that it can keep pre-roll, and cannot; its service is started anew with that, and when that is over."""

    def lie(present: bool) -> None:
        recorder.preroll.lies = present
        recorder.crash()

    lie(True)
    return lambda: lie(False)


def _cut_cameras(world: World, recorder: SimulatedRecorder) -> Mend:
    world.cameras.cut.add(recorder.id)
    _look(world)

    def mend() -> None:
        world.cameras.cut.discard(recorder.id)
        _look(world)

    return mend


def _shut_down(world: World, recorder: SimulatedRecorder) -> Mend:
    """Its Watchdog announces it, records on while another one may take over, and switches off."""
    if recorder.powered:
        leaving = Leaving(recorder=recorder.id, instance=recorder.persisted.instance, wall_ms=world.now(recorder.id).wall_ms)
        world.announce(recorder.id, leaving)
        recorder.trouble.leaving = recorder.trouble.announced = True
    wanted = [True]

    def off() -> None:
        recorder.trouble.leaving = False
        if wanted:
            recorder.set_fault(Fault.POWER, True)

    def mend() -> None:
        wanted.clear()
        recorder.trouble.stays(world.now(recorder.id).mono_ms)
        recorder.set_fault(Fault.POWER, False)

    world.after(SHUTDOWN_MS, off)
    return mend


def _darken(world: World, recorder: SimulatedRecorder) -> Mend:
    plan = next(server for server in world.plan.servers if server.id == recorder.id)
    cameras = {camera.id for camera in plan.settings.cameras} if plan.settings is not None else set()
    world.cameras.dark |= cameras
    _look(world)

    def mend() -> None:
        world.cameras.dark.difference_update(cameras)
        _look(world)

    return mend


def _look(world: World) -> None:
    for recorder in world.recorders.values():
        recorder.cameras_changed()


# ---------------------------------------------------------------- the coordinator and the site


def _killed(world: World, deed: Deed) -> Mend | None:
    """amount: 0 now; 1 when it next takes documents into its cache; 2 now, and again in its next two starts; else in one of the next
    transactions, somewhere in it."""
    coordinator = world.coordinator
    coordinator.down_ms = max(500, deed.lasts_ms)
    if deed.amount == 1:
        coordinator.kill_at_cache = True
    elif deed.amount == 2:
        coordinator.kill_starts = 2
        coordinator.kill()
    elif deed.amount:
        points = tuple(KillPoint)
        coordinator.kill_at = (deed.amount // len(points), points[deed.amount % len(points)])
    else:
        coordinator.kill()
    return None


def _paused(world: World, deed: Deed) -> Mend | None:
    world.coordinator.pause(drop_inbox=bool(deed.amount))
    return world.coordinator.resume


def _bus(world: World, deed: Deed) -> Mend | None:
    world.network.cut = True
    world.coordinator_ended()

    def mend() -> None:
        world.network.cut = False
        world.coordinator_listens()

    return mend


def _clock(world: World, deed: Deed) -> Mend | None:
    world.coordinator.wall_step_ms += deed.amount
    world.coordinator.stepped_ms = world.agenda.now_ms
    return None


def _disk_slow(world: World, deed: Deed) -> Mend | None:
    world.coordinator.append_ms = deed.amount
    return lambda: setattr(world.coordinator, "append_ms", APPEND_MS)


def _cache_slow(world: World, deed: Deed) -> Mend | None:
    world.coordinator.cache_ms = deed.amount
    return lambda: setattr(world.coordinator, "cache_ms", CACHE_MS)


def _disk_fails(world: World, deed: Deed) -> Mend | None:
    world.coordinator.fail_appends = deed.amount
    return None


def _journal_cut(world: World, deed: Deed) -> Mend | None:
    """amount: so many facts at most, and none of the first entries of the site."""
    world.journal_cut = True
    coordinator = world.coordinator
    spare = len(coordinator.journal) - world.entered_facts
    coordinator.down_ms = max(500, deed.lasts_ms)
    coordinator.kill(cut_facts=max(0, min(deed.amount, spare)))
    return None


def _lose_from_cache(world: World, recorder: RecorderId) -> None:
    """One of the documents by which a failover of this recorder would go is gone from the cache, unless it is the only copy of it."""
    row = world.shadow.recorders.get(recorder)
    if row is not None and row.documents is not None and _held_by_a_server(world, row.documents.settings):
        world.coordinator.cache.pop(row.documents.settings, None)


def _mass(world: World, deed: Deed) -> Mend | None:
    """amount: 0 for a network that is split: the servers reach one another; 1 if they do not."""
    ways = [world.links[server.id] for server in world.plan.servers if server.settings is not None]
    hit = ways[: max(1, len(ways) * 2 // 3)]
    for link in hit:
        link.up_cut = link.down_cut = True
        link.peers_cut = bool(deed.amount)

    def mend() -> None:
        for link in hit:
            link.heal()

    return mend


def _held_by_a_server(world: World, document: DocumentHash) -> bool:
    """Whether a server records by this document, or has it as its own, so that it could be fetched again."""
    for recorder in world.recorders.values():
        named = (recorder.persisted.documents, recorder.persisted.own)
        if document in recorder.store and any(documents is not None and documents.settings == document for documents in named):
            return True
    return False


def _blackout(world: World, deed: Deed) -> Mend | None:
    world.coordinator.down_ms = max(500, deed.lasts_ms)
    world.coordinator.kill()
    mends = [_plain(world, recorder, Fault.POWER) for recorder in world.recorders.values()]

    def mend() -> None:
        for one in mends:
            one()

    return mend


def _backup_slow(world: World, deed: Deed) -> Mend | None:
    world.coordinator.backup_ms = deed.amount
    return lambda: setattr(world.coordinator, "backup_ms", 0)


def _backup_fails(world: World, deed: Deed) -> Mend | None:
    world.coordinator.fail_backups = deed.amount
    return None


def _restored(world: World, deed: Deed) -> Mend | None:
    """The machine is gone; another one goes on with a backup. amount: which of those that there are, the newest first."""
    world.journal_cut = True
    coordinator = world.coordinator
    lengths = sorted((length for length in coordinator.backups if length >= world.entered_facts), reverse=True)
    length = lengths[min(deed.amount, len(lengths) - 1)] if lengths else world.entered_facts
    coordinator.down_ms = max(500, deed.lasts_ms)
    coordinator.kill(max(0, len(coordinator.journal) - length), "The journal was restored from a backup.")
    return None


SITE_DEEDS: dict[Wrong, Callable[[World, Deed], Mend | None]] = {
    Wrong.KILLED: _killed,
    Wrong.PAUSED: _paused,
    Wrong.BUS: _bus,
    Wrong.CLOCK: _clock,
    Wrong.DISK_SLOW: _disk_slow,
    Wrong.CACHE_SLOW: _cache_slow,
    Wrong.DISK_FAILS: _disk_fails,
    Wrong.JOURNAL_CUT: _journal_cut,
    Wrong.BLACKOUT: _blackout,
    Wrong.BACKUP_SLOW: _backup_slow,
    Wrong.BACKUP_FAILS: _backup_fails,
    Wrong.RESTORED: _restored,
    Wrong.MASS: _mass,
}
