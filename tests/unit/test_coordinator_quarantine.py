"""A person lets a camera out of quarantine: the server is told until it answers (SPEC 16)."""

from __future__ import annotations

import pytest

from sysmanager.coordinator import inputs as i
from sysmanager.coordinator.commands import SendOrder
from sysmanager.coordinator.facts import CameraReleased, ReleaseEnded
from sysmanager.domain.failover import Phase
from sysmanager.domain.ids import CameraId, Epoch
from sysmanager.domain.rights import RoleName
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, contents, rid, small_site

GATE = CameraId("A-c1")
QUARANTINED = r.CameraState.QUARANTINED
ORDER = r.LetOut(camera=GATE)


def quarantined(*cameras: str) -> Site:
    """A has these in quarantine."""
    site = small_site()
    server = site.server("A")
    server.dark, server.dark_state = {CameraId(camera) for camera in cameras or (GATE,)}, QUARANTINED
    site.run(2_000)
    return site


def release(site: Site, server: str = "A", camera: str = GATE, role: RoleName = RoleName.OPERATOR) -> c.Reply:
    return site.ask(c.ReleaseCamera(recorder=rid(server), camera=CameraId(camera)), role)


def told(site: Site) -> int:
    return site.server("A").orders.count(ORDER)


def test_the_server_is_told_once_and_opens_the_camera_again() -> None:
    site = quarantined()
    assert release(site) == c.Done(sentence="A camera 1 is let out of quarantine: A opens it again.")
    site.run(20_000)
    assert told(site) == 1
    assert GATE not in site.server("A").dark
    assert site.of(CameraReleased) == [CameraReleased(recorder=rid("A"), camera=GATE)]
    assert site.of(ReleaseEnded) == [ReleaseEnded(recorder=rid("A"), camera=GATE)]
    assert site.state.releases == {}
    assert contents(site.replayed()) == contents(site.state)


def test_a_failover_server_that_acts_is_told_of_the_cameras_it_took_over() -> None:
    site = small_site()
    site.fail_over("A")
    acting = site.server("F")
    acting.dark, acting.dark_state = {GATE}, QUARANTINED
    site.run(2_000)
    assert release(site, "F") == c.Done(sentence="A camera 1 is let out of quarantine: F opens it again.")
    site.run(5_000)
    assert acting.orders.count(ORDER) == 1
    assert GATE not in acting.dark


@pytest.mark.parametrize(
    ("server", "camera", "sentence"),
    [
        ("Z", GATE, "There is no server Z; known are A, B, F, H."),
        ("A", "other", "A has no camera other; see the list of its cameras."),
        ("A", "A-c2", "A camera 2 is not in quarantine on A; there is nothing to release."),
        ("B", "B-c1", "B camera 1 is not in quarantine on B; there is nothing to release."),
    ],
)
def test_what_cannot_be_released_is_refused(server: str, camera: str, sentence: str) -> None:
    site = quarantined()
    reply = release(site, server, camera)
    assert isinstance(reply, c.Refused)
    assert reply.sentence == sentence
    assert told(site) == 0


def test_a_server_that_is_not_connected_cannot_release() -> None:
    site = quarantined()
    site.server("A").up = False
    site.run(5_000)
    reply = release(site)
    assert reply == c.Refused(sentence="A is not connected; its camera can be released when it is.")


def test_who_only_looks_may_not() -> None:
    reply = release(quarantined(), role=RoleName.MONITORING)
    assert isinstance(reply, c.Refused)
    assert "may not" in reply.sentence


def test_it_is_told_again_until_it_answers_and_nobody_asks_twice_meanwhile() -> None:
    site = quarantined()
    site.server("A").answers = False
    assert isinstance(release(site), c.Done)
    assert release(site) == c.Refused(sentence="A is being told already to let A camera 1 out of quarantine.")
    site.run(3_000)
    assert site.of(ReleaseEnded) == []
    site.restart()
    site.run(3_000)
    site.server("A").answers = True
    site.run(5_000)
    assert told(site) == 1
    assert len(site.of(ReleaseEnded)) == 1


def test_two_cameras_are_told_each_by_itself() -> None:
    site = quarantined(GATE, "A-c2")
    site.server("A").answers = False
    release(site)
    release(site, camera="A-c2")
    assert site.state.releases == {rid("A"): (GATE, CameraId("A-c2"))}
    site.server("A").answers = True
    site.run(5_000)
    assert site.state.releases == {}
    assert {order.camera for order in site.server("A").orders if isinstance(order, r.LetOut)} == {GATE, "A-c2"}
    assert site.server("A").dark == set()


@pytest.mark.parametrize("reason", [r.RefusalReason.SERVICE_DOWN, r.RefusalReason.NOT_BUILT_IN])
def test_a_refusal_ends_it_unless_only_the_watchdog_could_answer(reason: r.RefusalReason) -> None:
    site = quarantined()
    server = site.server("A")
    server.let_out_refusal = r.Refusal(reason=reason, sentence="It cannot.")
    release(site)
    site.run(3_000)
    ended = site.of(ReleaseEnded)
    assert [fact.sentence for fact in ended] == ([] if reason is r.RefusalReason.SERVICE_DOWN else ["It cannot."])
    server.let_out_refusal = None
    site.run(70_000)
    assert (GATE not in server.dark) is (reason is r.RefusalReason.SERVICE_DOWN)
    assert site.state.releases == {}


def test_an_answer_to_what_nobody_asked_for_any_more_changes_nothing() -> None:
    site = quarantined()
    site.core.take(i.OrderAnswered(recorder=rid("A"), order=ORDER, answer=r.Obeyed(epoch=Epoch(1))), site.now)
    site.settle()
    assert site.of(ReleaseEnded) == []


def test_who_leaves_system_data_is_told_nothing() -> None:
    site = quarantined()
    site.server("A").answers = False
    release(site)
    site.ask(c.RemoveRecorder(recorder=rid("A")))
    assert site.state.releases == {}
    site.run(3_000)


def test_who_acts_for_another_releases_what_it_holds_itself() -> None:
    site = small_site()
    entry = site.fail_over("A")
    assert entry.phase is Phase.READY
    server = site.server(str(entry.server))
    server.dark, server.dark_state = {GATE}, QUARANTINED
    site.run(2_000)
    assert isinstance(release(site, str(entry.server)), c.Done)
    site.run(3_000)
    assert ORDER in server.orders
    assert not any(isinstance(command, SendOrder) and command.order == ORDER and command.recorder == "A" for _, command in site.commands)
