"""Whole failovers and failbacks through the engine, every message really encoded and sent over a bus."""

from __future__ import annotations

import msgspec
import pytest

from sysmanager import wire
from sysmanager.documents.port import DocumentError
from sysmanager.domain.documents import SealedSecret
from sysmanager.domain.failover import Phase, Trigger
from sysmanager.domain.recorder import Acting, Broken, Recording, Standby
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.bus_recorder import PASSWORD
from tests.helpers.engine_site import ADMIN, EngineSite, rid
from tests.helpers.virtual_time import in_virtual_time


@in_virtual_time
async def test_a_silent_recorder_is_failed_over_and_given_back() -> None:
    site = EngineSite()
    await site.start()
    a, f = site.recorders["A"], site.recorders["F"]
    silent_ms = site.clock.now().mono_ms
    a.up = False
    entry = await site.until_phase(Phase.READY)
    detected_ms = entry.timeline.detected_ms - site.clock.now().wall_ms + site.clock.now().mono_ms
    assert silent_ms + 9_000 <= detected_ms <= silent_ms + 10_150
    assert entry.trigger is Trigger.CONNECTION
    assert [step.number for step in entry.steps] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert isinstance(site.rows[rid("F")].assignment, Acting)
    assert isinstance(site.rows[rid("A")].assignment, Broken)
    assert f.mode is r.Mode.RECORDING
    assert f.home == "A"
    assert f.documents == a.documents
    assert [camera.name for camera in f.settings.cameras] == [camera.name for camera in a.settings.cameras]  # type: ignore[union-attr]

    a.up = True
    await site.until(lambda: a.mode is r.Mode.STANDBY)
    reply = await site.ask(c.StartFailback(failover=entry.id))
    assert isinstance(reply, c.Done), reply
    entry = await site.until_phase(Phase.RETURNED)
    assert entry.failback is not None
    assert [step.number for step in entry.failback.steps] == list(range(1, 12))
    assert isinstance(site.rows[rid("A")].assignment, Recording)
    assert isinstance(site.rows[rid("F")].assignment, Standby)
    await site.until(lambda: f.mode is r.Mode.STANDBY)
    assert a.mode is r.Mode.RECORDING
    await site.close()


@in_virtual_time
async def test_a_refusing_server_is_followed_by_the_next() -> None:
    site = EngineSite()
    await site.start("A", "F", "H")
    site.recorders["F"].refusal = r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="Its disk is full.")
    assert isinstance(await site.ask(c.StartFailover(recorder=rid("A"))), c.Done)
    entry = await site.until_phase(Phase.READY)
    assert entry.server == "H"
    assert "Its disk is full." in entry.attempts[0].sentence
    await site.close()


@in_virtual_time
async def test_a_server_that_vanishes_is_followed_by_the_next_within_its_limit() -> None:
    site = EngineSite()
    await site.start("A", "F", "H")
    f = site.recorders["F"]

    def vanish(_: r.Order) -> None:
        f.up = False

    f.on_order = vanish
    begun_ms = site.clock.now().mono_ms
    assert isinstance(await site.ask(c.StartFailover(recorder=rid("A"))), c.Done)
    entry = await site.until_phase(Phase.READY)
    assert entry.server == "H"
    assert site.clock.now().mono_ms - begun_ms <= 6_000
    await site.close()


@in_virtual_time
async def test_secrets_are_in_no_log_line_and_no_row(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    site = EngineSite()
    await site.start()
    a = site.recorders["A"]
    assert a.settings is not None
    secret = a.settings.cameras[0].password
    assert secret is not None
    site.recorders["A"].up = False
    await site.until_phase(Phase.READY)
    snapshot = repr(await site.engine.snapshot())
    await site.close()
    said = caplog.text + "".join(capsys.readouterr()) + snapshot
    assert "Server A" in said
    for text in (PASSWORD, secret.sealed, secret.hmac, "10.0.0.1"):
        assert text not in said


@in_virtual_time
async def test_the_preview_of_a_failback_reads_what_was_changed_from_the_cache() -> None:
    site = EngineSite()
    await site.start()
    await site.ask(c.StartFailover(recorder=rid("A")))
    await site.until_phase(Phase.READY)
    acting = site.recorders["F"]
    assert acting.settings is not None
    first, *others = acting.settings.cameras
    changed = msgspec.structs.replace(first, bitrate_kbps=first.bitrate_kbps + 1, password=SealedSecret(hmac="other", sealed="secret"))
    acting.configure(msgspec.structs.replace(acting.settings, cameras=(changed, *others)), revision=2)
    await acting.beat()
    await site.until(lambda: site.rows[rid("F")].documents == acting.documents)
    shown = await site.engine.ask(ADMIN, c.PreviewFailback(failover=site.entry.id))
    assert isinstance(shown, c.Preview)
    told = [change.sentence for change in shown.changes]
    assert told == [
        f"{first.name}: password changed",
        f"{first.name}: expected bit rate {first.bitrate_kbps} kbit/s → {first.bitrate_kbps + 1} kbit/s",
    ]
    assert b"secret" not in wire.encode(shown)
    for spoiled in (b"[1]", None):
        assert acting.documents is not None
        real = site.store.get
        site.store.get = lambda store, name, body=spoiled: _given(body)  # type: ignore[method-assign]
        shown = await site.engine.ask(ADMIN, c.PreviewFailback(failover=site.entry.id))
        site.store.get = real  # type: ignore[method-assign]
        assert isinstance(shown, c.Preview)
        assert shown.changes == ()
        assert "cannot be read from the cache" in " ".join(check.sentence for check in shown.checks)
    await site.close()


async def _given(body: bytes | None) -> bytes:
    if body is None:
        raise DocumentError("It is not there.")
    return body
