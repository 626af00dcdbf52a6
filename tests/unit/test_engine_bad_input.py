"""What other machines send and disks damage: counted, said once with the recorder's name, dropped; nothing else is disturbed (SPEC 18)."""

from __future__ import annotations

import random

import msgspec
import pytest
from structlog.testing import capture_logs

from sysmanager import wire
from sysmanager.bus import subjects
from sysmanager.bus.port import NoAnswer
from sysmanager.documents.memory import MemoryDocumentStore
from sysmanager.documents.port import StoreName
from sysmanager.domain.failover import Phase, Reason
from sysmanager.domain.group import Group
from sysmanager.domain.ids import Epoch, InstanceId
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine.fitness import NAME_LIMIT, REQUEST_LIMIT_BYTES
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.bus_recorder import settings_of
from tests.helpers.engine_site import ADMIN, GATE, EngineSite, rid
from tests.helpers.virtual_time import in_virtual_time


def _fields(site: EngineSite, server: str) -> dict[str, object]:
    return msgspec.to_builtins(site.recorders[server].report())  # type: ignore[no-any-return]


def _message(fields: dict[str, object]) -> bytes:
    return b"1 " + msgspec.json.encode(fields)


GARBAGE: dict[str, object] = {
    "wrong type": {"boot": "three"},
    "negative epoch": {"epoch": -1},
    "absurd epoch": {"epoch": 10**30},
    "time after the last year": {"wall_ms": 10**17},
    "camera that is none": {"cameras": [["A-c0", "dancing", 0, 0]]},
    "frame time that is none": {"cameras": [["A-c0", "recording", -5, 0]]},
    "other recorder": {"recorder": "B"},
    "endless version": {"version": "1." * 4000},
    "number where a list belongs": {"disks": 7},
}


@pytest.mark.parametrize("name", GARBAGE)
def test_a_heartbeat_that_makes_no_sense_is_dropped(name: str) -> None:
    @in_virtual_time
    async def scenario() -> None:
        site = EngineSite()
        await site.start()
        changed = GARBAGE[name]
        assert isinstance(changed, dict)
        with capture_logs() as lines:
            for _ in range(30):
                await site.recorders["B"].bus.publish(subjects.beat("A"), _message({**_fields(site, "A"), **changed}))
        with capture_logs() as more:
            await site.until(lambda: site.field.garbage.get("sm.beat.A") == 30)
        dropped = [line for line in lines + more if line["event"] == "message dropped"]
        assert [line["recorder"] for line in dropped] == ["Server A"], "once, by the name that people know"
        assert site.engine_core.seen.of(rid("A")).beat.version == "1.4.2"
        assert not site.engine.failure.done()
        await site.close()

    scenario()


@in_virtual_time
async def test_random_bytes_from_a_recorder_disturb_nothing() -> None:
    site = EngineSite()
    await site.start()
    bus = site.recorders["B"].bus
    draw = random.Random(4711)
    sound = wire.encode(site.recorders["A"].report())
    with capture_logs() as lines:
        for number in range(600):
            if number % 2:
                body = draw.randbytes(draw.randrange(400))
            else:
                cut = bytearray(sound)
                for _ in range(draw.randrange(1, 6)):
                    cut[draw.randrange(len(cut))] = draw.randrange(256)
                body = bytes(cut[: draw.randrange(len(cut))]) if draw.random() < 0.5 else bytes(cut)
            subject = draw.choice([subjects.watchdog("A"), subjects.beat("Z"), subjects.BEACON, "sm.beat.A"])
            await bus.publish(subject, body)
            if number % 50 == 0:
                await site.until(lambda: True)
        await site.until(lambda: sum(site.field.garbage.values()) > 350)
    assert not [line for line in lines if line["log_level"] in ("error", "critical")], "no traceback for what another machine did"
    assert not site.engine.failure.done()
    assert isinstance(await site.ask(c.StartFailover(recorder=rid("A"))), c.Done)
    await site.until_phase(Phase.READY)
    await site.close()


@in_virtual_time
async def test_a_message_as_large_as_the_bus_takes_is_dropped() -> None:
    site = EngineSite()
    await site.start()
    fields = _fields(site, "A")
    fields["plugins"] = ["p" * 900] * 250
    await site.recorders["A"].bus.publish(subjects.beat("A"), _message(fields))
    await site.until(lambda: site.field.garbage.get("sm.beat.A") == 1)
    await site.close()


@in_virtual_time
async def test_senders_of_nonsense_are_counted_within_a_limit() -> None:
    site = EngineSite()
    await site.start()
    for number in range(1_500):
        await site.recorders["A"].bus.publish(f"sm.beat.X{number}", b"hello")
        if number % 100 == 0:
            await site.until(lambda: True)
    await site.until(lambda: sum(site.field.garbage.values()) == 1_500)
    assert len(site.field.garbage) <= 1_001
    await site.close()


@in_virtual_time
async def test_questions_that_make_no_sense_get_no_answer_that_counts() -> None:
    site = EngineSite()
    await site.start()
    bus = site.recorders["A"].bus
    assert await bus.request(subjects.ASK, b"nonsense", 1_000) == b""
    unknown = wire.encode(r.FetchDocument(kind="settings", hash="../../etc/passwd"))  # type: ignore[arg-type]  # as another machine could
    with pytest.raises(NoAnswer):
        await bus.request("sm.elsewhere", unknown, 1_000)
    assert not site.engine.failure.done()
    await site.close()


@in_virtual_time
async def test_an_answer_to_an_order_that_makes_no_sense_is_no_answer() -> None:
    site = EngineSite()
    await site.start("A", "F", "H")
    f = site.recorders["F"]

    async def nonsense(_: r.Order) -> r.OrderAnswer:
        return r.Refusal(reason=r.RefusalReason.NO_ROOM, sentence="x" * 5_000)

    f._obey = nonsense  # type: ignore[method-assign]
    assert isinstance(await site.ask(c.StartFailover(recorder=rid("A"))), c.Done)
    entry = await site.until_phase(Phase.READY)
    assert entry.server == "H"
    assert entry.lost == 1
    await site.close()


# ---------------------------------------------------------------- documents


@in_virtual_time
async def test_a_damaged_cache_entry_is_fetched_again_while_the_recorder_is_reachable() -> None:
    store = MemoryDocumentStore()
    site = EngineSite(store=store)
    await site.start()
    documents = site.recorders["A"].documents
    assert documents is not None
    store.damage(StoreName.SETTINGS, documents.settings)
    assert isinstance(await site.ask(c.StartFailover(recorder=rid("A"))), c.Done)
    entry = await site.until_phase(Phase.READY)
    assert entry.server == "F"
    assert await store.get(StoreName.SETTINGS, documents.settings)
    await site.close()


@in_virtual_time
async def test_a_damaged_cache_entry_of_a_recorder_that_is_gone_fails_step_3() -> None:
    store = MemoryDocumentStore()
    site = EngineSite(store=store)
    await site.start()
    documents = site.recorders["A"].documents
    assert documents is not None
    store.damage(StoreName.MASKS, documents.masks)
    site.recorders["A"].up = False
    entry = await site.until_phase(Phase.FAILED)
    assert entry.reason is Reason.NO_SETTINGS
    await site.until(lambda: site.recorders["F"].mode is r.Mode.STANDBY)
    assert rid("A") in site.engine_core.state.holds
    await site.close()


@in_virtual_time
async def test_settings_too_large_for_the_journal_are_not_taken_and_do_not_stop_the_coordinator() -> None:
    site = EngineSite()
    await site.start()
    before = site.rows[rid("A")].documents
    settings = settings_of("A", 800)
    named = tuple(msgspec.structs.replace(camera, name="x" * 500) for camera in settings.cameras)
    site.recorders["A"].configure(msgspec.structs.replace(settings, cameras=named), revision=2)
    with capture_logs() as lines:
        await site.until(lambda: any(line["event"] == "settings document too large" for line in lines))
        await site.until(lambda: site.clock.now().mono_ms % 20_000 < 100, 60)
    assert len([line for line in lines if line["event"] == "settings document too large"]) < 20, "not with every heartbeat"
    assert site.rows[rid("A")].documents == before
    assert not site.engine.failure.done()
    await site.close()


# ---------------------------------------------------------------- requests


@in_virtual_time
async def test_requests_beyond_their_limits_are_refused_before_they_are_looked_at() -> None:
    site = EngineSite()
    await site.start()
    long = Group(id=GATE, name="Gate", description="x" * REQUEST_LIMIT_BYTES)
    wrong = Group(id=GATE, name="Gate", description="\ud800")
    name = Actor(name="n" * (NAME_LIMIT + 1), role=RoleName.ADMINISTRATOR)
    for actor, group, said in ((ADMIN, long, "at most"), (ADMIN, wrong, "Unicode"), (name, Group(id=GATE, name="Gate"), "actor.name")):
        reply = await site.ask(c.SaveGroup(group=group), actor)
        assert isinstance(reply, c.Refused)
        assert said in reply.sentence
    assert not site.engine.failure.done()
    await site.close()


# ---------------------------------------------------------------- recorders that ask


@in_virtual_time
async def test_a_recorder_that_was_away_is_told_how_it_stands() -> None:
    site = EngineSite()
    await site.start()
    a = site.recorders["A"]

    async def ask(server: str, epoch: int, home: str | None) -> r.Standing:
        question = r.Ask(recorder=rid(server), instance=InstanceId("i"), epoch=Epoch(epoch), home=None if home is None else rid(home))
        return wire.decode(r.Standing, await a.bus.request(subjects.ASK, wire.encode(question), 2_000))  # type: ignore[no-any-return]

    assert isinstance(await ask("A", a.epoch, "A"), r.GoOn)
    assert isinstance(await ask("nobody", 7, "nobody"), r.GoOn)
    a.up = False
    await site.until_phase(Phase.READY)
    assert isinstance(await ask("A", a.epoch, "A"), r.StandDown)
    assert isinstance(await ask("F", site.recorders["F"].epoch, "A"), r.GoOn)
    assert isinstance(await ask("A", 10**6, "A"), r.GoOn), "it knows more than this coordinator"
    await site.close()
