"""Readiness (SPEC 14.1): every reason, its colour, and that keeping it up to date computes only what a change touches."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.readiness import readiness_of
from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.failover import Phase
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId, JobId
from sysmanager.domain.jobs import Drill, DrillSchedule, JobPhase, JobReason, Trial
from sysmanager.domain.maintenance import Scope, Target
from sysmanager.domain.recorder import Standby, edit_of
from sysmanager.domain.rights import RoleName
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from sysmanager.protocol.clients import Level, Readiness, Ready, Topic
from sysmanager.protocol.selftest import SelfTestReport
from tests.helpers.coordination import ADMIN, GROUP, Site, cameras_of, document_set, rid, small_site

RED, YELLOW, GREEN = Ready.NOT_READY, Ready.LIMITED, Ready.READY


def of(site: Site, server: str) -> Readiness:
    return readiness_of(site.state, site.core.seen, site.row(server), site.now)


def said(site: Site, server: str, level: Level | None = None) -> dict[Topic, str]:
    """Sentences by topic, of one level."""
    return {reason.topic: reason.sentence for reason in of(site, server).reasons if level is None or reason.level is level}


def edit(site: Site, server: str, **changes: object) -> None:
    row = site.row(server)
    fields = msgspec.structs.replace(edit_of(row), **changes)
    reply = site.ask(c.EditRecorder(recorder=row.id, revision=row.revision, fields=fields))
    assert isinstance(reply, c.Done), reply


def test_a_recorder_that_is_well_is_green_and_says_what_was_looked_at() -> None:
    found = of(small_site(), "A")
    assert (found.level, found.target, found.worst, found.shares) == (GREEN, "F", "", ())
    assert [(reason.topic, reason.sentence) for reason in found.reasons] == [
        (Topic.FAILOVER, "Automatic failover is on."),
        (Topic.DOCUMENTS, "Settings of revision 1 are in the cache, as A has them."),
        (Topic.CANDIDATE, "F would take over 3 cameras; 1 more could."),
        (Topic.DISKS, "F writes to the same disks, and has space for 14 days."),
        (Topic.DRILL, "No drill of A was made yet."),
        (Topic.CLOCK, "The clock of A agrees with the coordinator's."),
    ]


def off(site: Site) -> None:
    edit(site, "A", failover_enabled=False)


def out_of_group(site: Site) -> None:
    edit(site, "A", group=None)


def held(site: Site) -> None:
    site.ask(c.HoldFailover(recorder=rid("A")))


def nobody_left(site: Site) -> None:
    site.server("F").up = site.server("H").up = False
    site.run(4_000)


def other_disks(site: Site) -> None:
    site.server("F").disks = site.server("H").disks = {"X:": True}
    site.run(1_000)


def other_version(site: Site) -> None:
    site.server("F").version = site.server("H").version = "9.0.0"
    site.run(1_000)


@pytest.mark.parametrize(
    ("breaks", "topic", "sentence"),
    [
        (off, Topic.FAILOVER, "Failover is off for A; switch it on in its settings."),
        (out_of_group, Topic.FAILOVER, "A is in no failover group; choose one in its settings."),
        (held, Topic.FAILOVER, "Automatic failover of A is held by a person; release it when that is over."),
        (nobody_left, Topic.CANDIDATE, "Nobody can take over from A. F is not connected. H is not connected."),
        (other_disks, Topic.CANDIDATE, "Nobody can take over from A. F cannot write to D:. H cannot write to D:."),
        (
            other_version,
            Topic.CANDIDATE,
            "Nobody can take over from A. F runs version 9.0.0, the settings are of version 1.4.2. "
            "H runs version 9.0.0, the settings are of version 1.4.2.",
        ),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_makes_a_recorder_red(breaks: object, topic: Topic, sentence: str) -> None:
    site = small_site()
    breaks(site)  # type: ignore[operator]  # a deed
    assert of(site, "A").level is RED
    assert said(site, "A", Level.STOP)[topic] == sentence
    assert of(site, "A").worst == sentence


def test_maintenance_of_a_recorder_and_of_a_failover_server() -> None:
    site = small_site()
    for server in ("A", "F"):
        target = Target(scope=Scope.RECORDER, id=rid(server))
        until_ms = site.now.wall_ms + 3_600_000
        reply = site.ask(c.StartMaintenance(target=target, reason="new disks", until_wall_ms=until_ms))
        assert isinstance(reply, c.Done), reply
    assert of(site, "A").worst == "A is in maintenance (new disks): no failover starts by itself."
    assert of(site, "F").worst == "F is in maintenance and takes nobody's place."
    assert of(site, "B").target == "H"


def test_a_candidate_whose_service_is_not_heard_is_said_in_a_whole_sentence() -> None:
    site = small_site()
    site.server("H").up = False
    site.server("F").service, site.server("F").beats = r.ServiceState.STARTING, False
    site.run(5_000)
    assert of(site, "A").worst == "Nobody can take over from A. F's recording service is not heard. H is not connected."


def test_a_group_without_failover_servers_and_settings_that_were_never_fetched() -> None:
    site = Site()
    site.fetch_works = False
    site.add("A")
    site.run(2_000)
    assert said(site, "A", Level.STOP) == {
        Topic.CANDIDATE: "Nobody can take over from A. The group Gate has no failover server; add one to it.",
        Topic.DOCUMENTS: "The settings of A are not in the cache; connect it once so that they can be fetched.",
    }


def test_a_hold_after_an_abort_and_a_reconcile_stop_it_too() -> None:
    site = small_site()
    site.server("F").answers = site.server("A").up = False
    site.run(4_000)
    site.ask(c.StartFailover(recorder=rid("A")))
    assert said(site, "A", Level.WARNING)[Topic.FAILOVER] == "A failover of it is under way, see F00001 in the failover log."
    assert said(site, "B", Level.WARNING)[Topic.FAILOVER] == "F00001 is running in the group; a failover of B would wait for it."
    assert said(site, "F", Level.WARNING) == {Topic.FAILOVER: "It is about to take over from A."}
    site.ask(c.AbortFailover(failover=site.entry.id))
    assert said(site, "A", Level.STOP)[Topic.FAILOVER] == "Automatic failover of A is held after an abort; release it when that is over."
    site = small_site()
    site.server("A").up = False
    site.restart(damage="The journal is damaged.")
    assert said(site, "A", Level.STOP)[Topic.FAILOVER] == "Automatic failover is held until what differs is confirmed."
    assert said(site, "A", Level.WARNING)[Topic.CONNECTION] == "A was not seen since the coordinator's start."


def spare(**changes: object) -> Site:
    """A failover server F that differs by `changes`, and no other."""
    site = Site(group=Group(id=GROUP, name="Gate", partial=True))
    site.add("A", cameras=cameras_of("A", 3, vca=True), plugins_wanted=("plates",))
    site.add("F", failover=True, **{"vca_channels": 3, "plugins": ("plates",), **changes})
    site.run(3_000)
    return site


@pytest.mark.parametrize(
    ("changes", "topic", "sentence"),
    [
        ({"camera_limit": 2}, Topic.ROOM, "1 camera would not be protected: F has no room for more."),
        ({"vca_channels": 1}, Topic.VCA, "Video content analysis would be off for 2 cameras: F has no more channels."),
        ({"plugins": ()}, Topic.PLUGINS, "F lacks the plug-ins plates; they do not travel."),
        ({"free_mb": 100_000}, Topic.DISKS, "The free space of F lasts for 1 of 14 days of retention."),
        ({"clock_offset_ms": 5_000}, Topic.CLOCK, "The clock of F is 5 s off; set it."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_makes_a_recorder_yellow(changes: dict[str, object], topic: Topic, sentence: str) -> None:
    site = spare(**changes)
    assert of(site, "A").level is YELLOW
    assert said(site, "A", Level.WARNING) == {topic: sentence}


def test_what_a_failover_server_finds_of_itself_is_said_of_it_and_of_whom_it_would_replace() -> None:
    site = spare(self_test=SelfTestReport(wall_ms=1, problems=("The disk rots.", "The key is gone.")))
    assert said(site, "A", Level.WARNING) == {Topic.SELF_TEST: "F failed its self-test: The disk rots."}
    found = [reason.sentence for reason in of(site, "F").reasons if reason.topic is Topic.SELF_TEST]
    assert found == ["F failed its self-test: The disk rots.", "F failed its self-test: The key is gone."]
    assert of(site, "F").level is YELLOW
    site.server("F").self_test = SelfTestReport(wall_ms=2)
    site.run(1_000)
    assert said(site, "F", Level.GOOD)[Topic.SELF_TEST] == "F passed its self-test."
    assert said(site, "A", Level.WARNING) == {}


def test_a_lost_disk_of_the_candidate_that_is_not_needed_and_one_that_is_slow_to_be_heard() -> None:
    site = spare(disks={"D:": True, "E:": False})
    assert said(site, "A", Level.WARNING)[Topic.DISKS] == "F cannot write to E:, which A does not use."
    site.server("F").up = False
    site.run(2_500)
    assert said(site, "A", Level.WARNING)[Topic.CANDIDATE] == "F was not heard for two heartbeats."


def test_documents_are_as_old_as_they_are_and_not_confirmed_by_who_is_away() -> None:
    site = small_site()
    site.fetch_works = False
    server = site.server("A")
    assert server.documents is not None
    server.documents = msgspec.structs.replace(server.documents, revision=2, settings="other")  # type: ignore[arg-type]
    site.hear("A")
    site.settle()
    sentence = "The cache holds settings of revision 1, A has revision 2; they are being fetched."
    assert said(site, "A", Level.WARNING)[Topic.DOCUMENTS] == sentence
    server.documents = None
    site.hear("A")
    assert "A has none" in said(site, "A", Level.WARNING)[Topic.DOCUMENTS]
    server.up = False
    site.run(4_000)
    later = msgspec.structs.replace(site.now, wall_ms=site.now.wall_ms + 3 * 86_400_000)
    found = readiness_of(site.state, site.core.seen, site.row("A"), later)
    sentences = {reason.sentence for reason in found.reasons if reason.level is Level.WARNING}
    assert "Settings of revision 1 are in the cache, fetched 3 days ago; A does not confirm them." in sentences
    assert "A is not connected." in sentences


def test_a_clock_that_is_off_and_a_server_that_is_not_reconciled() -> None:
    site = small_site(clock_offset_ms=-4_000)
    assert said(site, "A", Level.WARNING) == {Topic.CLOCK: "The clock of A is 4 s off; set it, so that gaps can be measured."}
    site = small_site()
    site.restart(damage="The journal is damaged.")
    site.server("A").epoch = 99
    site.run(1_000)
    assert "A has not been reconciled yet." in {reason.sentence for reason in of(site, "A").reasons}


def test_a_replaced_server_is_red_an_acting_one_as_ready_as_what_would_follow() -> None:
    site = small_site()
    site.fail_over("A")
    assert said(site, "A", Level.STOP) == {Topic.FAILOVER: "A was replaced and is not protected; give its tasks back to it."}
    site.run(3_000)
    assert (of(site, "F").level, of(site, "F").target) == (GREEN, "A")


# ---------------------------------------------------------------- failover servers


def test_a_failover_server_on_standby() -> None:
    site = small_site()
    assert of(site, "F").level is GREEN
    assert said(site, "F")[Topic.CANDIDATE] == "F could stand in for each of the 2 recorders of the group."
    site.server("F").disks = {"D:": True, "E:": False}
    site.run(1_000)
    assert said(site, "F", Level.WARNING) == {Topic.DISKS: "F cannot write to E:."}
    site.server("F").disks = {"D:": False}
    site.run(1_000)
    assert said(site, "F", Level.STOP)[Topic.DISKS] == "F can write to none of its material disks; repair one."
    assert said(site, "F", Level.STOP)[Topic.CANDIDATE] == "F could stand in for no recorder of the group: it cannot write to D:."
    site.server("F").up = False
    site.run(4_000)
    assert said(site, "F", Level.STOP) == {Topic.CONNECTION: "F is not connected; switch it on and check its network."}


def test_a_failover_server_that_fits_some_recorders_or_has_none() -> None:
    site = small_site(disks={"D:": True, "E:": True}, disks_wanted=("D:", "E:"))
    assert said(site, "F", Level.WARNING) == {Topic.CANDIDATE: "F could stand in for 1 of 2 recorders of the group."}
    site = Site()
    site.add("F", failover=True)
    site.run(2_000)
    assert said(site, "F", Level.WARNING) == {Topic.CANDIDATE: "The group Gate has no recorder that it could stand in for."}


def test_a_failover_server_whose_service_does_not_stand_by_or_that_is_in_no_group() -> None:
    site = small_site()
    site.server("F").mode, site.server("F").answers = r.Mode.ASKING, False
    site.run(1_000)
    assert of(site, "F").level is RED
    assert "not on standby" in said(site, "F", Level.STOP)[Topic.CONNECTION]
    del site.state.groups[GROUP]
    assert said(site, "F", Level.STOP) == {Topic.FAILOVER: "F is in no failover group; choose one in its settings."}


def test_a_failover_server_that_was_just_relieved_is_not_shown_by_what_it_said_before() -> None:
    site = small_site()
    site.fail_over("A")
    site.run(2_000)
    site.server("F").beats = False
    site.fail_back()
    site.run(10_000, until=lambda: site.entry.phase is Phase.RETURNED)
    assert isinstance(site.row("F").assignment, Standby)
    assert "is ready when it waits" in said(site, "F", Level.WARNING)[Topic.CONNECTION]
    assert said(site, "F", Level.STOP) == {}
    site.server("F").beats = True
    site.hear("F")
    assert Topic.CONNECTION not in said(site, "F")
    assert of(site, "F").level is GREEN


# ---------------------------------------------------------------- pre-roll


def test_pre_roll_says_how_much_it_covers() -> None:
    site = Site(group=Group(id=GROUP, name="Gate", preroll=FailoverPriority.LOW))
    site.add("A", cameras=(*cameras_of("A", 2), *cameras_of("B", 1, sessions=1)))
    site.add("F", failover=True, preroll_memory_mb=0)
    site.run(3_000)
    assert said(site, "A", Level.WARNING) == {
        Topic.PREROLL: "No failover server keeps pre-roll of its 2 cameras that the group wants it of."
    }
    assert said(site, "F", Level.WARNING) == {Topic.PREROLL: "The group wants pre-roll, and F cannot keep any."}
    site.add("H", failover=True, preroll_memory_mb=100, preroll_limit_s=12)
    site.run(30_000)
    assert said(site, "A", Level.WARNING) == {Topic.PREROLL: "Pre-roll of 2 of 2 cameras on H covers 12 of 17 s."}
    assert said(site, "A", Level.GOOD)[Topic.CAMERAS] == "H reaches the cameras whose pre-roll it keeps."
    site.server("H").preroll_limit_s = 60
    site.run(30_000)
    assert of(site, "A").level is GREEN
    assert said(site, "A")[Topic.PREROLL] == "Pre-roll of 2 cameras on H covers 17 s."
    site.server("F").up = False
    site.run(4_000)
    site.server("H").preroll_since_ms = site.mono_ms + 1_000
    site.run(1_000)
    assert said(site, "A", Level.WARNING)[Topic.CAMERAS] == "H gets no frames from 2 cameras whose pre-roll it is to keep."


# ---------------------------------------------------------------- drills


def drilled(site: Site, *trials: Trial, days: int = 0, phase: JobPhase = JobPhase.READY, **changes: object) -> Site:
    """A drill of A on F ended so many days ago."""
    drill = Drill(
        id=JobId("J00001"),
        number=1,
        recorder=rid("A"),
        home=rid("A"),
        server=rid("F"),
        group=GROUP,
        actor=ADMIN,
        phase=phase,
        started_ms=1,
        documents=document_set("A"),
        ended_ms=site.now.wall_ms - days * 86_400_000,
        trials=trials,
    )
    site.state.jobs[drill.id] = msgspec.structs.replace(drill, **changes)
    site.state.last_drills[rid("A")] = drill.id
    return site


def test_the_last_drill_tells_its_age_and_whether_the_cameras_were_reached() -> None:
    good = (Trial(CameraId("A-c0"), True, 700), Trial(CameraId("A-c1"), False))
    site = drilled(small_site(), *good)
    assert of(site, "A").level is GREEN
    assert said(site, "A")[Topic.DRILL] == "The last drill was today on F."
    assert said(site, "A")[Topic.CAMERAS] == "In the last drill F reached each of the 2 cameras."
    site = drilled(small_site(), *good, days=91)
    assert said(site, "A", Level.WARNING) == {Topic.DRILL: "The last drill was 91 days ago on F, which is long ago."}
    dark = (*(Trial(CameraId(f"A-c{n}"), True, -1) for n in range(3)), Trial(CameraId("gone"), False, -1, "no answer"))
    site = drilled(small_site(), *dark, days=1)
    assert said(site, "A", Level.WARNING) == {
        Topic.CAMERAS: "In the last drill F did not reach A camera 0, A camera 1, A camera 2 and 1 more."
    }


def test_the_end_of_a_drill_is_looked_at() -> None:
    site = small_site()
    while site.core.readiness.pending:
        site.core.look_at_readiness(site.now)
    drilled(site)
    site.core.readiness.rests_on(site.state, f.DrillEnded(job=JobId("J00001"), phase=JobPhase.READY))
    while site.core.readiness.pending:
        site.core.look_at_readiness(site.now)
    assert site.core.readiness.known == {row.id: of(site, row.id) for row in site.state.recorders.values()}


def test_a_drill_that_did_not_come_to_its_end_and_one_that_is_wanted() -> None:
    site = drilled(small_site(), days=2, phase=JobPhase.FAILED, reason=JobReason.TOO_LATE)
    assert said(site, "A", Level.WARNING)[Topic.DRILL].startswith("The last drill, 2 days ago on F, did not come to its end: ")
    site = drilled(small_site(), phase=JobPhase.CANCELLED, server=rid("removed"))
    assert said(site, "A", Level.WARNING) == {Topic.DRILL: "The last drill, today on removed, did not come to its end."}
    site = small_site()
    site.state.groups[GROUP] = Group(id=GROUP, name="Gate", drill=DrillSchedule(every_days=7))
    assert said(site, "A", Level.WARNING) == {Topic.DRILL: "No drill of A was made yet; one is wanted every 7 days."}
    drilled(site, days=14)
    assert of(site, "A").level is GREEN
    drilled(site, days=15)
    assert Topic.DRILL in said(site, "A", Level.WARNING)


# ---------------------------------------------------------------- shared machines


def sharing(practice: bool = False) -> Site:
    """A and F on one machine, which is the coordinator's."""
    site = small_site(machine="m", practice=practice)
    site.server("F").machine, site.server("F").practice = "m", practice
    site.core.seen.machine = "m"
    site.run(1_000)
    return site


def test_two_servers_on_one_machine_are_red_until_a_person_confirms_it_by_name() -> None:
    site = sharing()
    assert of(site, "A").shares == ("the coordinator", "F")
    sentence = "A shares its machine with the coordinator, F: one breakdown takes both"
    assert said(site, "A", Level.STOP)[Topic.MACHINE] == f"{sentence}; move one of them, or confirm that it may be so."
    assert of(site, "F").level is RED

    def accept(*shares: str, server: str = "A", role: RoleName = RoleName.ADMINISTRATOR) -> c.Reply:
        return site.ask(c.AcceptSharedMachine(recorder=rid(server), shares=shares), role=role)

    assert accept("F") == c.Refused(sentence="A shares its machine with the coordinator, F; confirm exactly that.")
    assert accept("F", server="B") == c.Refused(sentence="B shares its machine with no other server; there is nothing to accept.")
    assert isinstance(accept("the coordinator", "F", role=RoleName.MONITORING), c.Refused)
    assert isinstance(accept("the coordinator", "F"), c.Done)
    assert accept("the coordinator", "F") == c.Refused(sentence="It is accepted already that A shares its machine with the coordinator, F.")
    assert said(site, "A", Level.WARNING)[Topic.MACHINE] == f"{sentence}; accepted by anna."
    assert site.replayed().shared == site.state.shared
    site.server("B").machine = "m"
    site.run(1_000)
    assert of(site, "A").level is RED, "what was accepted was something else"
    site.ask(c.RemoveRecorder(recorder=rid("A")))
    assert site.state.shared == {}


def test_on_a_practice_site_servers_may_share_a_machine() -> None:
    assert of(sharing(practice=True), "A").shares == ()
