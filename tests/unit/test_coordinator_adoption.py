"""Recorders that were replaced and do not get their cameras back: taken in as failover servers, or removed (SPEC 10)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from sysmanager.coordinator import facts as f
from sysmanager.coordinator.preview import answer
from sysmanager.coordinator.reconcile import findings
from sysmanager.coordinator.standing import answer_to
from sysmanager.domain.camera import FailoverPriority
from sysmanager.domain.failover import LogState, Phase, Severity, StayCause
from sysmanager.domain.group import Group
from sysmanager.domain.ids import GroupId
from sysmanager.domain.recorder import Acting, Broken, Recording, Role, Standby, edit_of
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import GROUP, Site, analogue, cameras_of, contents, edit, rid, small_site
from tests.helpers.copies import held

OTHER = GroupId("other")


def replaced_site(**changes: object) -> Site:
    """F acts for A, which is connected again and has stood down."""
    site = Site(group=Group(id=GROUP, name="Gate", preference=()))
    site.ask(c.SaveGroup(group=Group(id=OTHER, name="Other")))
    site.add("A", cameras=(*cameras_of("A", 2), analogue("A")), **{"detection_timeout_s": 20, **changes})
    site.add("B")
    site.add("F", failover=True)
    site.ask(c.SaveGroup(group=Group(id=GROUP, name="Gate", preference=(rid("F"),))))
    site.run(5_000)
    site.fail_over("A")
    site.run(3_000)
    return site


def adopt(site: Site, group: GroupId = GROUP) -> c.Reply:
    return site.ask(c.AdoptServer(recorder=rid("A"), group=group))


def test_it_becomes_a_failover_server_and_who_acted_a_recorder_for_good() -> None:
    site = replaced_site()
    revision = site.row("F").revision
    assert adopt(site) == c.Done(sentence="A is a failover server of the group Gate now.", failover=site.entry.id)
    assert site.row("F").revision == revision + 1, "who edits it at the moment is told that it changed"
    site.run(3_000)
    adopted, keeper = site.row("A"), site.row("F")
    assert (adopted.role, keeper.role) == (Role.FAILOVER, Role.STANDARD)
    assert isinstance(adopted.assignment, Standby)
    assert isinstance(keeper.assignment, Recording)
    assert (keeper.detection_timeout_s, keeper.group, keeper.name) == (20, GROUP, "F")
    assert (adopted.settings.cameras, adopted.documents) == ((), None)
    assert [camera.id for camera in keeper.settings.cameras] == ["A-c0", "A-c1", "A-c90"]
    assert site.state.groups[GROUP].preference == ()
    server = site.server("F")
    assert (server.home, server.mode, server.epoch) == ("F", r.Mode.RECORDING, keeper.assignment.epoch)
    assert (site.server("A").mode, site.server("A").epoch) == (r.Mode.STANDBY, adopted.assignment.epoch)
    assert (site.entry.phase, site.entry.log_state, site.entry.log_state.severity) == (Phase.KEPT, LogState.KEPT, Severity.INFORMATION)
    assert site.entry.note == "F keeps the cameras; A was taken in as a failover server."
    assert site.entry.to_do == ("Connect the analogue camera A analogue to F, or take it out of the settings of F.",)
    assert not site.state.open
    assert contents(site.state) == contents(site.replayed())


def test_the_new_recorder_is_protected_by_the_adopted_server() -> None:
    site = replaced_site()
    adopt(site)
    site.run(3_000)
    site.server("F").up = False
    site.run(25_000)
    assert (site.entry.recorder, site.entry.server, site.entry.phase) == ("F", "A", Phase.READY)
    assert isinstance(site.row("A").assignment, Acting)


@pytest.mark.parametrize("restarted", [False, True])
def test_that_it_was_taken_in_between_two_failovers_hides_no_flapping(restarted: bool) -> None:
    site = replaced_site()
    adopt(site)
    site.add("C", automatic_failback=True)
    site.run(3_000)
    assert site.fail_over("C").server == "A"
    site.run(3_000)
    assert isinstance(site.ask(c.AdoptServer(recorder=rid("C"), group=GROUP)), c.Done)
    site.run(3_000)
    if restarted:
        site.restart()
        site.run(3_000)
    site.server("A").up = False
    site.run(25_000)
    assert (site.entry.recorder, site.entry.server, site.entry.phase) == ("A", "C", Phase.READY)
    assert rid("A") in site.state.failback_holds, "the machine was replaced twice within the hour"


def test_it_may_protect_another_group() -> None:
    site = replaced_site()
    assert isinstance(adopt(site, OTHER), c.Done)
    assert site.row("A").group == OTHER
    assert rid("A") in site.state.members[OTHER]
    assert site.row("F").group == GROUP


def test_who_keeps_the_cameras_gets_their_documents_again_if_it_lost_them() -> None:
    site = replaced_site()
    site.server("F").answers = False
    adopt(site)
    site.run(1_000)
    server = site.server("F")
    server.answers, server.home, server.mode, server.documents = True, None, r.Mode.STANDBY, None
    missing = r.Refusal(reason=r.RefusalReason.DOCUMENTS_MISSING, sentence="none of that recorder")
    server.refusal = missing
    site.unreachable = {camera.id for camera in site.row("F").settings.cameras}
    site.run(2_000)
    server.refusal = None
    site.run(120_000, until=lambda: server.mode is r.Mode.RECORDING)
    order = server.orders[-1]
    assert isinstance(order, r.Record)
    assert (order.home, order.documents) == ("F", site.row("F").documents)


def test_who_keeps_cameras_and_comes_back_as_it_was_before_gets_their_documents_and_does_not_record_what_it_once_had() -> None:
    """A was replaced by F, taken in, acted for F and keeps the cameras: its own documents of an earlier time name those of someone else."""
    site = replaced_site()
    adopt(site)
    site.run(3_000)
    before, retired = site.server("A").epoch, site.state.retired[rid("A")]
    site.server("F").up = False
    site.run(25_000)
    site.server("F").up = True
    site.run(5_000)
    assert isinstance(site.ask(c.AdoptServer(recorder=rid("F"), group=GROUP)), c.Done)
    site.run(3_000)
    row = site.row("A")
    assert isinstance(row.assignment, Recording)
    assert row.documents is not None

    def told(epoch: int, home: str | None) -> r.Standing:
        ask = {"type": "ask", "recorder": "A", "instance": "A-1", "epoch": epoch, "home": home}
        return answer_to(site.state, msgspec.convert(ask, r.Ask))

    plain = r.Record(key=r.OrderKey(), epoch=row.assignment.epoch, home=row.id)
    given = msgspec.structs.replace(plain, documents=row.documents)
    assert told(before, None) == given, "it waited"
    assert told(0, "A") == given, "it recorded the cameras that it had at first"
    assert told(retired - 1, "A") == given
    assert told(row.assignment.epoch - 1, "A") == given
    assert told(row.assignment.epoch, "A") == r.GoOn(), "what it records as its own since then are the cameras that it keeps"
    assert told(row.assignment.epoch, "A") == r.GoOn()
    server = site.server("A")
    server.home, server.mode, server.documents, server.epoch = None, r.Mode.STANDBY, None, before
    site.run(3_000)
    assert given in server.orders
    assert server.home == "A"
    assert server.documents == row.documents


def test_who_was_removed_and_added_again_does_not_record_what_it_once_had_either() -> None:
    """A was never replaced: it left system data while it recorded, and came back as a failover server. Then it kept the cameras of B."""
    site = small_site()
    site.ask(c.RemoveRecorder(recorder=rid("A")))
    site.run(2_000)
    assert isinstance(site.ask(c.AddRecorder(id=rid("A"), fields=edit("A", Role.FAILOVER))), c.Done)
    site.ask(c.SaveGroup(group=Group(id=GROUP, name="Gate", preference=(rid("A"),))))
    site.run(3_000)
    server = site.server("A")
    assert (server.mode, rid("A") in site.state.retired) == (r.Mode.STANDBY, False)
    before = server.epoch
    site.server("B").up = False
    site.run(15_000)
    assert site.entry.server == "A"
    site.server("B").up = True
    site.run(3_000)
    assert isinstance(site.ask(c.AdoptServer(recorder=rid("B"), group=GROUP)), c.Done)
    site.run(3_000)
    row = site.row("A")
    assert isinstance(row.assignment, Recording)
    assert [camera.id for camera in row.settings.cameras] == ["B-c0", "B-c1", "B-c2"]
    plain = r.Record(key=r.OrderKey(), epoch=row.assignment.epoch, home=row.id)
    given = msgspec.structs.replace(plain, documents=row.documents)
    for epoch, home in ((before, None), (0, "A"), (before, "A"), (row.assignment.epoch - 1, "B")):
        ask = {"type": "ask", "recorder": "A", "instance": "A-1", "epoch": epoch, "home": home}
        assert answer_to(site.state, msgspec.convert(ask, r.Ask)) == given, (epoch, home)
    server.home, server.mode, server.documents, server.epoch = None, r.Mode.STANDBY, None, before
    site.run(3_000)
    assert given in server.orders
    assert server.documents == row.documents
    site.ask(c.RemoveRecorder(recorder=rid("A")))
    assert site.state.kept == {}
    assert contents(site.state) == contents(site.replayed())


# ---------------------------------------------------------------- removal


def test_of_a_removed_recorder_the_acting_server_keeps_the_cameras() -> None:
    site = replaced_site()
    assert site.ask(c.RemoveRecorder(recorder=rid("A"))) == c.Done(
        sentence="A was removed; F keeps its cameras for good.", failover=site.entry.id
    )
    site.run(3_000)
    assert rid("A") not in site.state.recorders
    assert site.row("F").home == "F"
    assert site.entry.phase is Phase.KEPT
    assert site.entry.note == "F keeps the cameras; A was removed from system data."
    assert rid("A") not in site.state.members[GROUP]
    assert contents(site.state) == contents(site.replayed())


def test_when_it_comes_back_and_asks_it_stands_down() -> None:
    site = replaced_site()
    site.ask(c.RemoveRecorder(recorder=rid("A")))
    asks = r.Ask(recorder=rid("A"), instance="A-1", epoch=1, home=rid("A"))  # type: ignore[arg-type]  # ids and numbers are plain
    told = answer_to(site.state, asks)
    assert told == r.StandDown(key=r.OrderKey(), epoch=site.state.retired[rid("A")])
    newer = msgspec.structs.replace(asks, epoch=told.epoch)
    assert answer_to(site.state, newer) == r.GoOn()


def test_it_is_added_again_as_a_failover_server_and_not_with_the_cameras_that_it_had() -> None:
    site = replaced_site()
    site.ask(c.RemoveRecorder(recorder=rid("A")))
    site.run(1_500)
    refused = site.ask(c.AddRecorder(id=rid("A"), fields=edit("A")))
    assert refused == c.Refused(sentence="A was replaced and its cameras belong to another server now; add it as a failover server.")
    assert isinstance(site.ask(c.AddRecorder(id=rid("A"), fields=edit("A", Role.FAILOVER))), c.Done)
    site.run(3_000)
    assert isinstance(site.row("A").assignment, Standby)
    again = site.ask(c.EditRecorder(recorder=rid("A"), revision=site.row("A").revision, fields=edit("A")))
    assert again == c.Refused(sentence="A was replaced and its cameras belong to another server now; it can be a failover server only.")
    site.ask(c.RemoveRecorder(recorder=rid("A")))
    assert isinstance(site.ask(c.AddRecorder(id=rid("A"), fields=edit("A"))), c.Refused)


def test_a_failover_server_that_broke_while_it_acted_can_be_removed() -> None:
    site = small_site()
    site.fail_over("A")
    site.run(2_000)
    site.server("F").up = site.server("A").up = False
    site.run(15_000)
    site.server("A").up = True
    site.run(1_000)
    assert isinstance(site.row("F").assignment, Broken)
    assert site.ask(c.RemoveRecorder(recorder=rid("F"))) == c.Done(sentence="F was removed.")
    site.run(2_000)
    assert isinstance(site.fail_back(), c.Done)
    site.run(5_000)
    assert site.entry.phase is Phase.RETURNED


def test_not_while_the_failover_in_which_it_broke_is_not_over() -> None:
    site = small_site()
    site.fail_over("A")
    site.run(2_000)
    site.server("F").up = site.server("A").up = False
    site.run(15_000)
    site.server("A").up = True
    site.run(1_000)
    site.server("A").first_frame_ms = 9_000
    site.fail_back()
    site.run(500)
    reply = site.ask(c.RemoveRecorder(recorder=rid("F")))
    assert reply.sentence == "F takes part in a failover; wait until that is over, then remove it."


# ---------------------------------------------------------------- what keeps it from that


def well() -> Site:
    return small_site()


def failing_back() -> Site:
    site = replaced_site()
    site.server("A").first_frame_ms = 9_000
    site.fail_back()
    site.run(500)
    return site


def acting_server_breaks() -> Site:
    site = replaced_site()
    site.server("A").answers = False
    site.run(1_000)
    site.server("F").up = site.server("A").up = False
    site.run(25_000)
    return site


def footage_is_on_its_way() -> Site:
    """The copy of an earlier failover runs, and A is replaced again."""
    site = held()
    site.fail_over("A")
    site.run(3_000)
    assert isinstance(site.row("A").assignment, Broken)
    return site


def reconciling() -> Site:
    site = replaced_site()
    site.server("B").epoch = 900
    site.restart(damage="The journal lost its tail.")
    site.run(2_000)
    return site


def away_since_the_reconcile() -> Site:
    site = replaced_site()
    site.server("A").up = False
    site.server("B").epoch = 900
    site.restart(damage="The journal lost its tail.")
    site.run(2_000)
    site.ask(c.ConfirmReconcile(findings=findings(site.state, site.core.seen)))
    return site


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (well, "A is not replaced; only a server that was replaced leaves its cameras to another one."),
        (failing_back, "F00001 is “Failback in progress”; wait until it is “Failover ready”."),
        (acting_server_breaks, "A takes part in F00002 as well; wait until that is over."),
        (footage_is_on_its_way, "A takes part in the job J00001; wait until it has ended, or cancel it."),
        (reconciling, "The coordinator is reconciling; confirm what differs first."),
        (away_since_the_reconcile, "A or F has not been reconciled yet; wait until it is heard."),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_what_stops_it(build: Callable[[], Site], sentence: str) -> None:
    site = build()
    before = contents(site.state)
    assert adopt(site).sentence == sentence
    if build is not well:
        assert site.ask(c.RemoveRecorder(recorder=rid("A"))).sentence == sentence
    assert contents(site.state)["recorders"] == before["recorders"]
    shown = answer(site.state, site.core.seen, c.PreviewAdoption(recorder=rid("A"), group=GROUP))
    assert isinstance(shown, c.Preview)
    assert (shown.allowed, shown.checks[0].sentence) == (False, sentence)


def test_a_broken_failover_server_has_no_cameras_to_leave() -> None:
    site = small_site()
    site.fail_over("A")
    site.run(2_000)
    site.server("F").up = site.server("A").up = False
    site.run(15_000)
    site.server("A").up = True
    site.run(1_000)
    reply = site.ask(c.AdoptServer(recorder=rid("F"), group=GROUP))
    assert reply.sentence == "F has no cameras that another server keeps; it stands by again once it is connected and has stood down."


def test_a_group_that_is_not_there() -> None:
    site = replaced_site()
    assert adopt(site, GroupId("x")).sentence == "There is no group x; see the list of groups."
    shown = answer(site.state, site.core.seen, c.PreviewAdoption(recorder=rid("A"), group=GroupId("x")))
    assert isinstance(shown, c.Preview)
    assert not shown.allowed
    unknown = answer(site.state, site.core.seen, c.PreviewAdoption(recorder=rid("x"), group=GROUP))
    assert unknown == c.Refused(sentence="There is no server x; see the list of servers.")


@pytest.mark.parametrize("connected", [True, False])
def test_the_preview_says_what_then_happens(connected: bool) -> None:
    site = replaced_site()
    site.server("A").up = connected
    site.run(5_000)
    shown = answer(site.state, site.core.seen, c.PreviewAdoption(recorder=rid("A"), group=GROUP))
    assert isinstance(shown, c.Preview)
    assert (shown.allowed, shown.target, shown.moves) == (True, "F", ("A-c0", "A-c1"))
    assert shown.to_do == ("Connect the analogue camera A analogue to F, or take it out of the settings of F.",)
    sentences = [check.sentence for check in shown.checks]
    assert sentences[0] == "F keeps the cameras of A for good, with its settings and group."
    assert ("A is not connected; it protects nobody until it is." in sentences) is not connected
    assert isinstance(adopt(site), c.Done)
    assert site.entry.to_do == shown.to_do


@pytest.mark.parametrize("heard", [True, False])
@pytest.mark.parametrize("way", ["taken in", "removed"])
def test_after_a_partial_failover_what_the_keeper_has_no_room_for_is_named(way: str, heard: bool) -> None:
    """All cameras become its own then, also those that it does not record now."""
    site = Site(group=Group(id=GROUP, name="Gate", partial=True))
    site.add("A", cameras=(*cameras_of("A", 3), msgspec.structs.replace(cameras_of("A", 4)[3], priority=FailoverPriority.NEVER)))
    site.add("F", failover=True, camera_limit=2)
    site.run(5_000)
    site.fail_over("A")
    site.run(3_000)
    assert [camera.camera for camera in site.entry.not_moved if camera.cause is StayCause.NO_ROOM] == ["A-c2"]
    if not heard:
        site.server("F").up = False
        site.restart()
    names = "2 of these cameras (A camera 2, A camera 3)" if heard else "1 of these cameras (A camera 2)"
    line = f"F has no room for {names} and records them all the same: move them to another server, or give it more room."
    shown = answer(site.state, site.core.seen, c.PreviewAdoption(recorder=rid("A"), group=GROUP))
    assert isinstance(shown, c.Preview)
    assert shown.to_do == (line,)
    assert c.Check(level=c.Level.WARNING, sentence=line) in shown.checks
    done = adopt(site) if way == "taken in" else site.ask(c.RemoveRecorder(recorder=rid("A")))
    assert isinstance(done, c.Done)
    assert site.entry.to_do == (line,)
    assert contents(site.state) == contents(site.replayed())


def test_many_cameras_beyond_the_room_are_counted() -> None:
    site = Site(group=Group(id=GROUP, name="Gate", partial=True))
    site.add("A", cameras=30)
    site.add("F", failover=True, camera_limit=2)
    site.run(5_000)
    site.fail_over("A")
    site.run(3_000)
    adopt(site)
    (line,) = site.entry.to_do
    assert line.startswith("F has no room for 28 of these cameras (A camera 10, A camera 11, ")
    assert "A camera 28 and 8 more) and records" in line


def test_without_the_settings_of_who_acts_in_the_cache_nobody_keeps_cameras() -> None:
    """A keeper that lost them could never be given them again."""
    site = replaced_site()
    server = site.row("F")
    site.state.recorders[server.id] = msgspec.structs.replace(server, documents=None)
    sentence = "The settings of F are not in the cache yet; wait until it is heard and they were fetched."
    shown = answer(site.state, site.core.seen, c.PreviewAdoption(recorder=rid("A"), group=GROUP))
    assert isinstance(shown, c.Preview)
    assert [check.sentence for check in shown.checks] == [sentence]
    assert adopt(site).sentence == sentence


def test_the_settings_of_a_replaced_recorder_are_locked() -> None:
    site = replaced_site()
    reply = site.ask(c.EditRecorder(recorder=rid("A"), revision=1, fields=edit_of(site.row("A"))))
    assert reply.sentence == "The settings of A are locked while it is replaced or reserved; fail back first."


# ---------------------------------------------------------------- the journal loses it


@pytest.mark.parametrize("lost", ["the adoption", "the failover too"])
def test_a_reconcile_after_the_adoption_was_lost_keeps_the_cameras_recorded(lost: str) -> None:
    site = replaced_site()
    before = next(n for n, fact in enumerate(site.facts) if isinstance(fact, f.FailoverStarted))
    length = len(site.journal) if lost == "the adoption" else before
    adopt(site)
    site.run(3_000)
    site.restart(keep=length, damage="The journal lost its tail.")
    site.run(3_000)
    shown = findings(site.state, site.core.seen)
    assert any("it has cameras that it took over for good" in finding.sentence for finding in shown)
    assert isinstance(site.ask(c.ConfirmReconcile(findings=shown)), c.Done)
    site.run(5_000)
    holders = [row.id for row in site.state.recorders.values() if row.home == rid("A")]
    assert len(holders) == 1
    assert site.server(holders[0]).mode is r.Mode.RECORDING
    assert isinstance(site.row("F").assignment, Acting if lost == "the adoption" else Standby)
