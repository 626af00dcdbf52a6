"""Requests of people (SPEC 2, 4.5, 12, 18): the right first, for every one; then a sentence, or facts."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sysmanager.coordinator.evolve import initial_assignment
from sysmanager.coordinator.facts import FailoverSkipped
from sysmanager.coordinator.inputs import Asked
from sysmanager.coordinator.requests import HANDLERS, decide_request
from sysmanager.domain.failover import Phase, Reason
from sysmanager.domain.group import Group
from sysmanager.domain.ids import CameraId
from sysmanager.domain.maintenance import SYSTEM
from sysmanager.domain.recorder import DETECTION_TIMEOUTS_S, FAILBACK_AFTER_S, RecorderEdit, Recording, Role, Standby
from sysmanager.domain.rights import ROLE_RIGHTS, Actor, Right, RoleName
from sysmanager.domain.system import SystemSettings
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import GROUP, WALL_MS, Site, contents, edit, rid, small_site

SAMPLES: dict[type, c.Request] = {
    c.StartFailover: c.StartFailover(recorder=rid("A")),
    c.AbortFailover: c.AbortFailover(failover="F00001"),
    c.HoldFailover: c.HoldFailover(recorder=rid("A")),
    c.ReleaseHold: c.ReleaseHold(recorder=rid("A")),
    c.StartFailback: c.StartFailback(failover="F00001"),
    c.SwitchOver: c.SwitchOver(recorder=rid("A")),
    c.AdoptServer: c.AdoptServer(recorder=rid("A"), group=GROUP),
    c.HoldFailback: c.HoldFailback(recorder=rid("A")),
    c.ReleaseFailback: c.ReleaseFailback(recorder=rid("A")),
    c.ReleaseCamera: c.ReleaseCamera(recorder=rid("A"), camera=CameraId("A-c1")),
    c.StartCopy: c.StartCopy(failover="F00001"),
    c.StartDrill: c.StartDrill(recorder=rid("A")),
    c.PauseJob: c.PauseJob(job="J00001"),
    c.ResumeJob: c.ResumeJob(job="J00001"),
    c.CancelJob: c.CancelJob(job="J00001"),
    c.AddRecorder: c.AddRecorder(id=rid("N"), fields=edit("N")),
    c.EditRecorder: c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A")),
    c.RemoveRecorder: c.RemoveRecorder(recorder=rid("B")),
    c.SaveGroup: c.SaveGroup(group=Group(id="n", name="New")),
    c.RemoveGroup: c.RemoveGroup(group="n"),
    c.ConfirmReconcile: c.ConfirmReconcile(findings=()),
    c.CommentEntry: c.CommentEntry(failover="F00001", text="Disk changed."),
    c.TickToDo: c.TickToDo(failover="F00001", item=0),
    c.EditSystem: c.EditSystem(revision=1, settings=SystemSettings()),
    c.StartMaintenance: c.StartMaintenance(target=SYSTEM, reason="new switches", until_wall_ms=WALL_MS + 3_600_000),
    c.EndMaintenance: c.EndMaintenance(target=SYSTEM),
    c.BackUp: c.BackUp(),
    c.AcceptSharedMachine: c.AcceptSharedMachine(recorder=rid("A"), shares=("B",)),
    c.AcknowledgeAlarm: c.AcknowledgeAlarm(key="crash loop"),
}


@pytest.fixture(scope="module")
def quiet() -> Site:
    """A healthy site that no test of this module changes."""
    return small_site()


def refused(site: Site, request: c.Request) -> str:
    """The sentence with which the request is refused; nothing is moved, at most the log says that it was skipped."""
    before = contents(site.state)
    asked = Asked(actor=Actor(name="a", role=RoleName.ADMINISTRATOR), request=request)
    decision = decide_request(site.state, site.core.seen, asked, site.now)
    assert isinstance(decision.reply, c.Refused), decision.reply
    assert all(isinstance(fact, FailoverSkipped) for fact in decision.facts)
    assert contents(site.state) == before
    return decision.reply.sentence


# ---------------------------------------------------------------- rights


def test_every_request_has_a_right_and_a_sample() -> None:
    assert set(c.RIGHT_FOR) == set(HANDLERS) == set(SAMPLES) == set(get_args(c.Request))


def named(value: object) -> str:
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize(("role", "kind"), list(product([*RoleName, None], SAMPLES)), ids=named)
def test_a_role_may_ask_exactly_what_its_rights_allow(quiet: Site, role: RoleName | None, kind: type) -> None:
    allowed = role is not None and c.RIGHT_FOR[kind] in ROLE_RIGHTS[role]
    decision = decide_request(quiet.state, quiet.core.seen, Asked(actor=Actor(name="a", role=role), request=SAMPLES[kind]), quiet.now)
    assert decision.reply is not None
    rightless = isinstance(decision.reply, c.Refused) and " may not " in decision.reply.sentence
    assert rightless is not allowed
    if rightless:
        assert decision.facts == ()


def test_the_rights_of_the_built_in_roles() -> None:
    by_right = {right: {kind.__name__ for kind, needed in c.RIGHT_FOR.items() if needed is right} for right in Right}
    failback = {"StartFailback", "HoldFailback", "ReleaseFailback"}
    log = {"CommentEntry", "TickToDo"}
    jobs = {"StartCopy", "StartDrill", "PauseJob", "ResumeJob", "CancelJob"}
    maintenance = {"StartMaintenance", "EndMaintenance", "AcknowledgeAlarm", "ReleaseCamera"}
    failover = {"StartFailover", "AbortFailover", "HoldFailover", "ReleaseHold", "SwitchOver"}
    assert by_right[Right.FAILOVER] == failover | failback | log | maintenance | jobs
    assert by_right[Right.MONITOR] == by_right[Right.USERS] == set()
    assert ROLE_RIGHTS[RoleName.OPERATOR] == {Right.MONITOR, Right.FAILOVER}


# ---------------------------------------------------------------- nothing that a field can hold makes it raise

ANY_TEXT = st.text(max_size=150)
ANY_ID = st.sampled_from(["A", "B", "F", "H", "Z", "", "no good", "x" * 65]) | ANY_TEXT
ANY_EDIT = st.builds(
    RecorderEdit,
    name=ANY_TEXT | st.sampled_from(["A", "B"]),
    address=ANY_TEXT,
    role=st.sampled_from(Role),
    group=st.none() | st.sampled_from([GROUP, "nowhere"]) | ANY_TEXT,
    failover_enabled=st.booleans(),
    detection_timeout_s=st.integers() | st.sampled_from(DETECTION_TIMEOUTS_S),
    failback_after_s=st.integers() | st.sampled_from(FAILBACK_AFTER_S),
    failback_hours=st.just("") | ANY_TEXT,
)
ANY_REQUEST: st.SearchStrategy[Any] = st.one_of(
    st.builds(c.StartFailover, recorder=ANY_ID),
    st.builds(c.AbortFailover, failover=ANY_ID | st.just("F00001")),
    st.builds(c.HoldFailover, recorder=ANY_ID),
    st.builds(c.ReleaseHold, recorder=ANY_ID),
    st.builds(c.HoldFailback, recorder=ANY_ID),
    st.builds(c.AdoptServer, recorder=ANY_ID, group=ANY_ID),
    st.builds(c.ReleaseFailback, recorder=ANY_ID),
    st.builds(c.ReleaseCamera, recorder=ANY_ID, camera=ANY_ID | st.just("A-c1")),
    st.builds(c.StartFailback, failover=ANY_ID | st.just("F00001")),
    st.builds(c.CommentEntry, failover=ANY_ID | st.just("F00001"), text=ANY_TEXT),
    st.builds(c.TickToDo, failover=ANY_ID | st.just("F00001"), item=st.integers(), done=st.booleans()),
    st.builds(c.AddRecorder, id=ANY_ID, fields=ANY_EDIT),
    st.builds(c.EditRecorder, recorder=ANY_ID, revision=st.integers() | st.just(1), fields=ANY_EDIT),
    st.builds(c.RemoveRecorder, recorder=ANY_ID),
    st.builds(
        c.SaveGroup,
        group=st.builds(
            Group, id=ANY_ID, name=ANY_TEXT, description=ANY_TEXT, preference=st.lists(ANY_ID, max_size=3).map(tuple), partial=st.booleans()
        ),
    ),
    st.builds(c.RemoveGroup, group=ANY_ID | st.just(GROUP)),
    st.builds(c.ConfirmReconcile, findings=st.lists(st.builds(c.Finding, recorder=ANY_ID, sentence=ANY_TEXT), max_size=2).map(tuple)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_REQUEST, max_size=6), st.booleans())
def test_any_requests_are_answered_and_leave_sound_tables(requests: list[Any], replaced: bool) -> None:
    site = small_site()
    if replaced:
        site.fail_over("A")
    for request in requests:
        reply = site.ask(request)  # checks the invariants and the wire
        assert isinstance(reply, c.Done | c.Refused)
        assert reply.sentence
    site.run(1_000)
    assert contents(site.state) == contents(site.replayed())


# ---------------------------------------------------------------- starting by hand (SPEC 4.5)


def test_a_manual_failover_needs_exactly_a_connected_failover_server_failover_enabled_and_the_right() -> None:
    site = small_site()
    site.server("F").up = site.server("H").up = False
    site.run(4_000)
    assert refused(site, c.StartFailover(recorder=rid("A"))) == "No failover server of the group Gate is connected; switch one on."
    site.server("F").up = True
    site.server("F").disks = {}  # it does not fit: that is a warning, and the entry waits
    site.run(1_000)
    assert isinstance(site.ask(c.StartFailover(recorder=rid("A"))), c.Done)
    assert site.entry.phase is Phase.WAITING
    site.ask(c.EditRecorder(recorder=rid("B"), revision=1, fields=edit("B", failover_enabled=False)))
    assert refused(site, c.StartFailover(recorder=rid("B"))) == "Failover is off for B; switch it on in its settings."


def test_why_a_failover_cannot_be_started_by_hand() -> None:
    site = small_site()
    site.add("C", group=None)
    site.ask(c.SaveGroup(group=Group(id="bare", name="Bare")))
    site.add("D", group="bare")
    start = {name: c.StartFailover(recorder=rid(name)) for name in "ACDFZ"}
    assert refused(site, start["Z"]) == "There is no server Z; known are A, B, C, D, F and 1 more."
    assert refused(site, start["F"]) == "F does not record; a failover starts from a server that records."
    assert refused(site, start["C"]) == "C is in no failover group; choose one in its settings."
    assert refused(site, start["D"]) == "The group Bare has no failover server; add one to it."
    site.fail_over("A")
    assert refused(site, start["A"]).startswith("A was replaced already")
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("B")))
    assert refused(site, c.StartFailover(recorder=rid("B"))) == "A failover of B is running already, see F00002 in the failover log."
    site.restart(damage="The journal lost its tail.")
    site = small_site()
    site.restart(damage="The journal lost its tail.")
    site.hear("F", "H")
    assert refused(site, start["A"]) == "The coordinator is reconciling; confirm what differs first."


def test_the_reply_says_what_began() -> None:
    site = small_site()
    assert site.ask(c.StartFailover(recorder=rid("A"))) == c.Done(sentence="Failover of A to F started.", failover="F00001")
    site = small_site()
    site.cache_answers = False
    site.ask(c.StartFailover(recorder=rid("A")))
    reply = site.ask(c.StartFailover(recorder=rid("B")))
    assert reply == c.Done(sentence="Failover of B waits for another one of its group.", failover="F00002")


def test_what_was_sent_is_shown_short_and_printable(quiet: Site) -> None:
    sentence = refused(quiet, c.StartFailover(recorder=rid("a\0" + "x" * 1000)))
    assert sentence.isprintable()
    assert len(sentence) < 160


def test_an_empty_site_says_so() -> None:
    assert refused(Site(), c.StartFailover(recorder=rid("A"))) == "There is no server A; there are no servers yet."


# ---------------------------------------------------------------- holds


def test_holds_are_placed_and_released_once() -> None:
    site = small_site()
    assert refused(site, c.ReleaseHold(recorder=rid("A"))) == "Failover of A is not held."
    assert refused(site, c.HoldFailover(recorder=rid("F"))).startswith("F records nothing")
    assert site.ask(c.HoldFailover(recorder=rid("A"))) == c.Done(sentence="Failover of A is held.")
    assert refused(site, c.HoldFailover(recorder=rid("A"))).startswith("Failover of A is held already")
    assert site.ask(c.ReleaseHold(recorder=rid("A"))) == c.Done(sentence="Failover of A runs again.")


# ---------------------------------------------------------------- servers


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (edit(" "), "The name of a server has 1 to 120 printable characters; correct the field name."),
        (edit("x" * 121), "The name of a server has 1 to 120 printable characters; correct the field name."),
        (edit("a\nb"), "The name of a server has 1 to 120 printable characters; correct the field name."),
        (edit("\ud800"), "The name of a server has 1 to 120 printable characters; correct the field name."),
        (edit("B"), "Another server is named B already; choose a different name."),
        (edit("N", address="x" * 121), "The address of a server has at most 120 printable characters; correct the field address."),
        (edit("N", address="a\0"), "The address of a server has at most 120 printable characters; correct the field address."),
        (edit("N", group="nowhere"), "There is no group nowhere; add it first or choose another one."),
        (edit("N", Role.FAILOVER, group=None), "A failover server belongs to exactly one group; choose it in the field group."),
    ],
)
def test_what_a_server_may_not_have(quiet: Site, fields: RecorderEdit, sentence: str) -> None:
    assert refused(quiet, c.AddRecorder(id=rid("N"), fields=fields)) == sentence
    assert refused(quiet, c.EditRecorder(recorder=rid("A"), revision=1, fields=fields)) == sentence


def test_only_the_detection_timeouts_of_the_list_can_be_chosen(quiet: Site) -> None:
    sentence = refused(quiet, c.AddRecorder(id=rid("N"), fields=edit("N", detection_timeout_s=15)))
    assert sentence == (
        "15 s is no detection timeout; choose one of 10 s, 20 s, 30 s, 40 s, 50 s, 1 min, 2 min, 3 min, 5 min, 10 min, 15 min, 30 min."
    )


def test_ids_are_plain_and_given_once(quiet: Site) -> None:
    assert "letters, digits" in refused(quiet, c.AddRecorder(id=rid("no good"), fields=edit("N")))
    assert "is in system data already" in refused(quiet, c.AddRecorder(id=rid("A"), fields=edit("N")))


def test_of_two_editors_the_second_is_told() -> None:
    site = small_site()
    assert isinstance(site.ask(c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A", address="10.0.0.1"))), c.Done)
    assert "changed by someone else" in refused(site, c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A2")))
    assert site.row("A").revision == 2
    assert site.row("A").address == "10.0.0.1"


def test_role_and_group_stay_while_a_server_takes_part_in_a_failover() -> None:
    site = small_site()
    site.fail_over("A")
    moved = edit("F", Role.STANDARD)
    assert "takes part in a failover" in refused(site, c.EditRecorder(recorder=rid("F"), revision=1, fields=moved))
    renamed = edit("Spare", Role.FAILOVER)
    assert isinstance(site.ask(c.EditRecorder(recorder=rid("F"), revision=1, fields=renamed)), c.Done)


def test_the_group_stays_while_a_failover_waits_for_a_server() -> None:
    site = small_site()
    site.ask(c.SaveGroup(group=Group(id="n", name="New")))
    site.server("F").up = site.server("H").up = False
    site.run(4_000)
    site.server("A").up = False
    site.run(12_000)
    assert (site.entry.phase, site.row("A").records) == (Phase.WAITING, True)
    assert "takes part in a failover" in refused(site, c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A", group="n")))


def test_roles_change_with_the_assignment() -> None:
    site = small_site()
    assert "records 3 cameras" in refused(site, c.EditRecorder(recorder=rid("A"), revision=1, fields=edit("A", Role.FAILOVER)))
    epoch = site.state.next_epoch
    site.ask(c.EditRecorder(recorder=rid("F"), revision=1, fields=edit("F", Role.STANDARD)))
    assert site.row("F").assignment == Recording(epoch=epoch)
    site.ask(c.EditRecorder(recorder=rid("F"), revision=2, fields=edit("F", Role.FAILOVER)))
    assert site.row("F").assignment == Standby(epoch=epoch + 1)
    assert initial_assignment(Role.STANDARD, epoch) == Recording(epoch=epoch)


def test_groups_are_kept_by_member() -> None:
    site = small_site()
    site.ask(c.SaveGroup(group=Group(id="h", name="Harbour")))
    site.ask(c.EditRecorder(recorder=rid("B"), revision=1, fields=edit("B", group="h")))
    assert site.state.members == {GROUP: {"A", "F", "H"}, "h": {"B"}}


def test_a_server_that_takes_part_in_a_failover_is_not_removed() -> None:
    site = small_site()
    site.fail_over("A")
    assert "fail back first" in refused(site, c.RemoveRecorder(recorder=rid("F")))
    site.ask(c.HoldFailover(recorder=rid("B")))
    assert site.ask(c.RemoveRecorder(recorder=rid("B"))) == c.Done(sentence="B was removed.")
    assert site.state.holds == {}
    assert rid("B") not in site.core.seen.recorders
    site.run(1_000)
    assert rid("B") in site.core.seen.unknown


def test_a_server_without_a_group_can_be_removed_too() -> None:
    site = small_site()
    site.add("C", group=None)
    assert isinstance(site.ask(c.RemoveRecorder(recorder=rid("C"))), c.Done)


@pytest.mark.parametrize(
    ("role", "mode", "epoch"),
    [(Role.STANDARD, r.Mode.RECORDING, 40), (Role.FAILOVER, r.Mode.STANDBY, 40), (Role.FAILOVER, r.Mode.RECORDING, 4)],
    ids=["its own epoch", "a standby with a past", "one that records for somebody: a finding"],
)
def test_a_server_that_announced_itself_brings_its_epoch(role: Role, mode: r.Mode, epoch: int) -> None:
    site = small_site()
    site.add("C")
    server = site.server("C")
    site.ask(c.RemoveRecorder(recorder=rid("C")))
    server.mode, server.epoch, server.home = mode, 40, rid("C") if mode is r.Mode.RECORDING else None
    site.run(1_000)
    before = site.state.next_epoch
    site.ask(c.AddRecorder(id=rid("C"), fields=edit("C", role)))
    assert site.row("C").assignment.epoch == (epoch if epoch == 40 else before)


def test_a_server_that_stands_by_gets_another_number_when_it_is_added_to_record() -> None:
    site = small_site()
    site.add("C")
    server = site.server("C")
    site.ask(c.RemoveRecorder(recorder=rid("C")))
    server.mode, server.epoch, server.home = r.Mode.STANDBY, 40, None
    site.run(1_000)
    site.ask(c.AddRecorder(id=rid("C"), fields=edit("C", Role.STANDARD)))
    assert site.row("C").assignment.epoch == 41


# ---------------------------------------------------------------- groups


@pytest.mark.parametrize(
    ("group", "sentence"),
    [
        (Group(id="no good", name="N"), "The id of a group has letters, digits, - and _ only"),
        (Group(id="n", name=""), "The name of a group has 1 to 120"),
        (Group(id="n", name="Gate"), "Another group is named Gate already"),
        (Group(id="n", name="N", description="x" * 1001), "The description of a group has at most 1000"),
        (Group(id="n", name="N", description="a\0"), "The description of a group has at most 1000"),
        (Group(id="n", name="N", preference=(rid("Z"),)), "The order of the group names Z, which is not in system data"),
        (Group(id="n", name="N", preference=(rid("F"), rid("F"))), "The order of the group names a server twice"),
    ],
)
def test_what_a_group_may_not_have(quiet: Site, group: Group, sentence: str) -> None:
    assert refused(quiet, c.SaveGroup(group=group)).startswith(sentence)


def test_a_group_may_have_a_description_of_several_lines() -> None:
    site = small_site()
    assert isinstance(site.ask(c.SaveGroup(group=Group(id="n", name="N", description="North gate\nand yard"))), c.Done)


def test_a_group_is_removed_when_nothing_is_in_it() -> None:
    site = small_site()
    assert "There is no group n" in refused(site, c.RemoveGroup(group="n"))
    assert "has servers in it" in refused(site, c.RemoveGroup(group=GROUP))
    site.ask(c.SaveGroup(group=Group(id="n", name="N")))
    assert site.ask(c.RemoveGroup(group="n")) == c.Done(sentence="The group N was removed.")


def test_a_group_with_an_open_failover_is_not_removed() -> None:
    site = small_site()
    site.fail_over("A")
    site.state.members[GROUP] = set()  # as only a reconcile could leave it
    assert "has an open failover" in refused(site, c.RemoveGroup(group=GROUP))


# ---------------------------------------------------------------- unknown entries


@pytest.mark.parametrize("request_of", [c.AbortFailover, c.StartFailback], ids=lambda kind: kind.__name__)
def test_an_entry_that_is_not_there(quiet: Site, request_of: Any) -> None:
    assert refused(quiet, request_of(failover="F9")) == "There is no entry F9 in the failover log; see the list of entries."


def test_reasons_have_a_sentence_that_says_what_to_do() -> None:
    for reason in Reason:
        assert reason.sentence.endswith(".")
        assert len(reason.sentence) > 40
