"""A believable site in memory: what the tests of the interface and its pictures stand on."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from sysmanager.api import (
    Alarm,
    CameraRow,
    CameraState,
    Change,
    ChangeKind,
    Check,
    Connection,
    CoordinatorState,
    DiskRow,
    ExpectedGap,
    Finding,
    Health,
    HoldCause,
    HoldRow,
    Level,
    Preview,
    RecorderRow,
    Refused,
    ServiceState,
    Snapshot,
    SystemRow,
    UnknownServer,
)
from sysmanager.domain.documents import DocumentSet
from sysmanager.domain.failover import (
    Attempt,
    AttemptEnd,
    CameraGap,
    Failback,
    Failover,
    NotMoved,
    Phase,
    Reason,
    StepRecord,
    Timeline,
    Trigger,
    Verdict,
)
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, DocumentHash, Epoch, FailoverId, GroupId, RecorderId
from sysmanager.domain.recorder import Acting, Assignment, Broken, Recording, Reserved, Role, Standby
from sysmanager.domain.rights import COORDINATOR, Actor, RoleName

NOW_MS = int(datetime(2026, 11, 22, 14, 2, 30, tzinfo=UTC).timestamp() * 1000)
DAY_MS = 86_400_000
A, B = GroupId("terminal-a"), GroupId("terminal-b")
ADMIN = Actor(name="admin", role=RoleName.ADMINISTRATOR)
DOCUMENTS = DocumentSet(revision=118, settings=DocumentHash("a" * 64), masks=DocumentHash("b" * 64), schedules=DocumentHash("c" * 64))

_PLACES = ("Gate", "Quay", "Crane", "Yard", "Fence", "Office", "Ramp", "Berth", "Rail", "Store", "Car park", "Customs")


def rid(text: str) -> RecorderId:
    return RecorderId(text)


def cameras(server: str, number: int, state: CameraState | None = CameraState.RECORDING) -> tuple[CameraRow, ...]:
    priorities = ("high", "medium", "medium", "low")
    return tuple(
        CameraRow(
            id=CameraId(f"{server}-C{n:02}"),
            name=f"{_PLACES[n % len(_PLACES)]} {n // len(_PLACES) + 1:02} {('north', 'east', 'south', 'west')[n % 4]}",
            kind="analogue" if n == number - 1 and server == "TA-REC-03" else "ip",
            priority=priorities[n % 4],
            sessions=1 + n % 2,
            vca=n % 11 == 0,
            bitrate_kbps=2000 + 500 * (n % 5),
            mode="continuous" if n % 3 else "motion",
            state=state,
        )
        for n in range(number)
    )


def disks(lost: int = 0) -> tuple[DiskRow, ...]:
    return tuple(
        DiskRow(
            path=f"{letter}:\\Material",
            writable=n >= lost,
            free_mb=0 if n < lost else 410_000 + 90_000 * n,
            total_mb=4_000_000,
            problem="no answer for 2 s" if n < lost else "",
        )
        for n, letter in enumerate("DEFG")
    )


def server(
    name: str,
    group: GroupId | None,
    *,
    role: Role = Role.STANDARD,
    assignment: Assignment | None = None,
    condition: str = "ready",
    health: Health = Health.GOOD,
    connection: Connection = Connection.CONNECTED,
    number: int = 24,
    lost_disks: int = 0,
    state: CameraState | None = CameraState.RECORDING,
    **more: object,
) -> RecorderRow:
    if assignment is None:
        assignment = Recording(epoch=Epoch(3)) if role is Role.STANDARD else Standby(epoch=Epoch(2))
    rows = cameras(name, number, state) if not isinstance(assignment, Standby | Reserved) else ()
    row = RecorderRow(
        id=rid(name),
        name=name,
        address=f"10.20.{1 if group == A else 2}.{10 + sum(map(ord, name)) % 80}",
        role=role,
        group=group,
        revision=4,
        failover_enabled=True,
        detection_timeout_s=60,
        assignment=assignment,
        connection=connection,
        health=health,
        condition=condition,
        service=ServiceState.RUNNING,
        version="9.8.2",
        documents=DOCUMENTS,
        retention_days=14,
        vca_channels=3,
        camera_limit=64,
        bitrate_limit_kbps=400_000,
        clock_offset_ms=12,
        cameras=rows,
        cameras_recording=sum(1 for camera in rows if camera.state is CameraState.RECORDING),
        disks=disks(lost_disks),
        practice=True,
    )
    return msgspec.structs.replace(row, **more)


def steps(done: int, attempt: int = 1, start: int = 1) -> tuple[StepRecord, ...]:
    spans = (2, 11, 4, 412, 3, 0, 5, 2, 640, 4, 2)
    at = NOW_MS - 20_000
    records = []
    for number in range(start, done + 1):
        at += spans[number - 1]
        records.append(StepRecord(number=number, done_wall_ms=at, duration_ms=spans[number - 1], attempt=attempt))
    return tuple(records)


def failover(number: int, recorder: str, phase: Phase, **more: object) -> Failover:
    moved = tuple(CameraId(f"{recorder}-C{n:02}") for n in range(24))
    entry = Failover(
        id=FailoverId(f"F{number:05}"),
        number=number,
        recorder=rid(recorder),
        home=rid(recorder),
        group=A if recorder.startswith("TA") else B,
        trigger=Trigger.CONNECTION,
        actor=COORDINATOR,
        phase=phase,
        started_ms=NOW_MS - 19_000,
        moved=moved,
    )
    return msgspec.structs.replace(entry, **more)


def ready_failover(number: int, recorder: str, by: str, **more: object) -> Failover:
    start = NOW_MS - 19_000
    gaps = tuple(
        CameraGap(camera=CameraId(f"{recorder}-C{n:02}"), last_before_ms=start - 60_300 + 7 * n, first_after_ms=start + 900 + 23 * n)
        for n in range(24)
    )
    fields: dict[str, object] = {
        "server": rid(by),
        "epoch": Epoch(7),
        "documents": DOCUMENTS,
        "verdicts": (
            Verdict(server=rid(by), rank=1, sentence="Fits: 24 of 24 cameras, all disks written, 9.8.2."),
            Verdict(server=rid("TA-FO-02"), rank=2, sentence="Fits; comes later in the order of the group."),
            Verdict(server=rid("TA-FO-03"), rank=0, sentence="Cannot be taken: version 9.7.1 differs from 9.8.2; update it."),
        ),
        "attempts": (Attempt(number=1, server=rid(by), epoch=Epoch(7)),),
        "steps": steps(8),
        "not_moved": (
            NotMoved(camera=CameraId(f"{recorder}-C24"), name="Customs 03 north", sentence="analogue; it hangs on the capture card"),
        ),
        "to_do": (
            "Connect the analogue camera Customs 03 north to another server, or repair the capture card's server.",
            "Install the plug-in “Number plates 4.1” on the failover server by hand.",
        ),
        "gaps": gaps,
        "timeline": Timeline(
            last_heard_ms=start - 60_000, detected_ms=start, decided_ms=start + 13, saved_ms=start + 430, committed_ms=start + 433
        ),
        "ended_ms": start + 450,
    }
    fields.update(more)
    return failover(number, recorder, Phase.READY, **fields)


def past_failover(number: int) -> Failover:
    """One of the entries of former days, of every kind in turn."""
    recorder = ("TA-REC-01", "TB-REC-02", "TA-REC-02", "TB-REC-01")[number % 4]
    at = NOW_MS - (33 - number) * 7 * 3_600_000
    kind = number % 6
    if kind == 0:
        return failover(
            number,
            recorder,
            Phase.CANCELLED,
            started_ms=at,
            ended_ms=at + 4000,
            moved=(),
            note="the recorder is back",
            reason=Reason.CANCELLED,
        )
    if kind == 3:
        attempts = tuple(
            Attempt(number=n, server=rid(f"TB-FO-0{n}"), epoch=Epoch(n), end=AttemptEnd.LOST, sentence="no answer for 5 s") for n in (1, 2)
        )
        return failover(
            number,
            recorder,
            Phase.FAILED,
            started_ms=at,
            ended_ms=at + 12_000,
            trigger=Trigger.SERVICE,
            moved=(),
            not_moved=tuple(
                NotMoved(camera=CameraId(f"{recorder}-C{n:02}"), name=f"Camera {n}", sentence="no failover server") for n in range(16)
            ),
            attempts=attempts,
            steps=(*steps(3), *steps(3, 2, 2)),
            note="two failover servers were lost",
            reason=Reason.NO_CONNECTION,
        )
    trigger = (Trigger.MANUAL, Trigger.CONNECTION, Trigger.DISKS)[number // 2 % 3]
    actor = Actor(name="admin", role=RoleName.ADMINISTRATOR) if trigger is Trigger.MANUAL else COORDINATOR
    back = Failback(actor=ADMIN, started_ms=at + 900_000, epoch=Epoch(9), steps=steps(11), ended_ms=at + 900_700)
    return msgspec.structs.replace(
        ready_failover(number, recorder, "TA-FO-01" if recorder.startswith("TA") else "TB-FO-01", trigger=trigger, actor=actor),
        started_ms=at,
        phase=Phase.RETURNED,
        failback=back,
        to_do=(),
    )


def system(**more: object) -> SystemRow:
    row = SystemRow(
        site="Harbour site",
        state=CoordinatorState.WATCHING,
        sentence="Watching 13 servers",
        health=Health.GOOD,
        practice=True,
        watched=13,
        ready=10,
    )
    return msgspec.structs.replace(row, **more)


def harbour() -> Snapshot:
    """Thirteen servers: one silent with its countdown, one acting, one waiting, one with a lost disk; 34 entries in the log."""
    f_ready, f_running = FailoverId("F00033"), FailoverId("F00034")
    recorders = (
        server("TA-REC-01", A),
        server("TA-REC-02", A, number=32),
        server(
            "TA-REC-03",
            A,
            number=25,
            condition="silent",
            health=Health.BAD,
            connection=Connection.SILENT,
            silence_ms=46_200,
            countdown_ms=13_800,
            countdown_cause="connection lost",
            state=None,
        ),
        server("TA-REC-04", A, condition="1 disk lost", health=Health.WARNING, lost_disks=1, number=16),
        server(
            "TA-REC-05",
            A,
            assignment=Broken(epoch=Epoch(3), failover=f_ready),
            condition="connected again",
            health=Health.WARNING,
            stable_ms=192_000,
            failover=f_ready,
        ),
        server(
            "TA-FO-01",
            A,
            role=Role.FAILOVER,
            assignment=Acting(epoch=Epoch(7), for_recorder=rid("TA-REC-05"), failover=f_ready),
            condition="acting for TA-REC-05",
            failover=f_ready,
        ),
        server("TA-FO-02", A, role=Role.FAILOVER, condition="standby"),
        server("TB-REC-01", B, number=48),
        server(
            "TB-REC-02", B, number=16, hold=HoldRow(cause=HoldCause.ABORT, actor=ADMIN, since_wall_ms=NOW_MS - 60_000), health=Health.BAD
        ),
        server("TB-REC-03", B, number=64, condition="not seen yet", health=Health.UNKNOWN, connection=Connection.NOT_SEEN, state=None),
        server("TB-REC-04", B, condition="recording service failed", health=Health.BAD, service=ServiceState.FAILED, failover=f_running),
        server("TB-FO-01", B, role=Role.FAILOVER, condition="standby"),
        server(
            "TB-FO-02",
            B,
            role=Role.FAILOVER,
            assignment=Reserved(epoch=Epoch(8), for_recorder=rid("TB-REC-04"), failover=f_running),
            condition="reserved for TB-REC-04",
        ),
    )
    failovers = (
        *(past_failover(number) for number in range(1, 32)),
        failover(32, "TB-REC-01", Phase.WAITING, reason=Reason.NO_FAILOVER_SERVER, moved=(), started_ms=NOW_MS - 7_200_000),
        ready_failover(33, "TA-REC-05", "TA-FO-01"),
        failover(
            34,
            "TB-REC-04",
            Phase.FETCHED,
            trigger=Trigger.SERVICE,
            server=rid("TB-FO-02"),
            steps=(*steps(3), *steps(3, 2, 2)),
            started_ms=NOW_MS - 2000,
            verdicts=(
                Verdict(server=rid("TB-FO-01"), rank=1, sentence="Fits: 24 of 24 cameras."),
                Verdict(server=rid("TB-FO-02"), rank=2, sentence="Fits; less free disk."),
            ),
            attempts=(
                Attempt(number=1, server=rid("TB-FO-01"), epoch=Epoch(7), end=AttemptEnd.REFUSED, sentence="It has no disk G:."),
                Attempt(number=2, server=rid("TB-FO-02"), epoch=Epoch(8)),
            ),
        ),
    )
    alarms = (
        Alarm(key="disk:TA-REC-04", sentence="TA-REC-04 lost the disk D:\\Material; replace it.", since_wall_ms=NOW_MS - 3_000_000),
        Alarm(
            key="wait:TB-REC-01",
            sentence="TB-REC-01 waits for a failover server; connect one of Terminal B.",
            since_wall_ms=NOW_MS - 7_200_000,
            health=Health.BAD,
        ),
    )
    groups = (
        Group(id=A, name="Terminal A", description="Gates and quays of the old harbour", preference=(rid("TA-FO-01"), rid("TA-FO-02"))),
        Group(id=B, name="Terminal B", preference=(rid("TB-FO-01"), rid("TB-FO-02"))),
    )
    return Snapshot(sequence=1, system=system(alarms=alarms), groups=groups, recorders=recorders, failovers=failovers)


def empty() -> Snapshot:
    """A first start: nothing in system data, two servers that announce themselves."""
    unknown = (
        UnknownServer(id=rid("TA-REC-01"), version="9.8.2", cameras=24, standby=False),
        UnknownServer(id=rid("TA-FO-01"), version="9.8.2", cameras=0, standby=True),
    )
    row = system(
        site="New site", sentence="Watching no servers yet", watched=0, ready=0, unknown=unknown, practice=False, health=Health.UNKNOWN
    )
    return Snapshot(sequence=1, system=row, groups=(), recorders=(), failovers=())


def crowded(servers: int = 200, entries: int = 5000) -> Snapshot:
    """A large site with a long log."""
    groups = tuple(Group(id=GroupId(f"g{n}"), name=f"Terminal {n}") for n in range(10))
    rows = tuple(
        server(
            f"S{n:03}",
            groups[n % 10].id,
            role=Role.FAILOVER if n % 8 == 7 else Role.STANDARD,
            condition="standby" if n % 8 == 7 else "ready",
        )
        for n in range(servers)
    )
    log = tuple(msgspec.structs.replace(past_failover(n % 30), id=FailoverId(f"F{n:05}"), number=n) for n in range(1, entries + 1))
    row = system(site="Large site", sentence=f"Watching {servers} servers", watched=servers, ready=servers)
    return Snapshot(sequence=1, system=row, groups=groups, recorders=rows, failovers=log)


def reconciling() -> Snapshot:
    """The harbour after a restored backup."""
    findings = (
        Finding(recorder=rid("TA-REC-02"), sentence="TA-REC-02 records under epoch 9, system data says 3; confirming continues above 9."),
        Finding(recorder=rid("TA-FO-02"), sentence="TA-FO-02 acts for TA-REC-02; confirming takes that over."),
    )
    snapshot = harbour()
    row = msgspec.structs.replace(
        snapshot.system,
        state=CoordinatorState.RECONCILE,
        findings=findings,
        health=Health.BAD,
        sentence="Failover is held until the findings are confirmed",
    )
    return msgspec.structs.replace(snapshot, system=row)


FAILOVER_PREVIEW = Preview(
    allowed=True,
    checks=(
        Check(level=Level.GOOD, sentence="A failover server of the group Terminal A is free: TA-FO-02."),
        Check(level=Level.GOOD, sentence="Settings, masks and schedules are in the cache, revision 118."),
        Check(level=Level.WARNING, sentence="2 of 3 VCA channels fit on TA-FO-02; VCA of Gate 01 north stays off."),
    ),
    target=rid("TA-FO-02"),
    verdicts=(
        Verdict(server=rid("TA-FO-02"), rank=1, sentence="Fits: 24 of 24 IP cameras, 9 days of 14 days retention."),
        Verdict(server=rid("TA-FO-01"), rank=0, sentence="Cannot be taken: it acts for TA-REC-05."),
    ),
    moves=tuple(CameraId(f"TA-REC-03-C{n:02}") for n in range(24)),
    stays=(NotMoved(camera=CameraId("TA-REC-03-C24"), name="Gate 03 north", sentence="analogue; it hangs on the capture card"),),
    to_do=("Connect the analogue camera Gate 03 north to another server.",),
)

FAILBACK_PREVIEW = Preview(
    allowed=True,
    checks=(
        Check(level=Level.GOOD, sentence="TA-REC-05 is connected, well for 3:12, and its disks can be written."),
        Check(level=Level.WARNING, sentence="The settings of TA-FO-01 were changed meanwhile; they travel back: revision 121."),
    ),
    target=rid("TA-REC-05"),
    moves=tuple(CameraId(f"TA-REC-05-C{n:02}") for n in range(24)),
    handed_over_singly=(CameraId("TA-REC-05-C00"), CameraId("TA-REC-05-C02")),
    expected_gaps=(ExpectedGap(camera=CameraId("TA-REC-05-C00"), gap_ms=1200),),
    changes=(
        Change(kind=ChangeKind.CHANGED, camera=CameraId("TA-REC-05-C00"), name="Quay 01", field="expected bit rate", before="2", after="3"),
        Change(kind=ChangeKind.CHANGED, camera=CameraId("TA-REC-05-C01"), name="Quay 02", field="password"),
        Change(kind=ChangeKind.ADDED, camera=CameraId("TA-REC-05-C25"), name="Quay 26"),
    ),
)


REFUSED = Refused(sentence="No failover server of the group is free and connected; connect one, or add one to the group.")
