"""What the core keeps when an append failed, and what it must not."""

from __future__ import annotations

from sysmanager import wire
from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.domain.ids import FailoverId
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine.core import Core
from sysmanager.engine.planning import REFUSED_AGAIN_MS
from sysmanager.protocol import clients as c
from sysmanager.protocol import recorders as r
from tests.helpers.coordination import Site, rid, small_site


def refused(core: Core, site: Site) -> list[f.RequestRefused]:
    """The lines that a request in vain leads to; they are not appended."""
    asked = i.Asked(actor=Actor(name="anna", role=RoleName.ADMINISTRATOR), request=c.ReleaseHold(recorder=rid("A")))
    core.take(asked, site.now, token="anna")
    batch = core.decide(site.now)
    assert batch is not None
    return [record.fact for record in batch.records if isinstance(record.fact, f.RequestRefused)]


def test_a_refusal_whose_line_was_not_saved_is_a_line_again_the_next_time() -> None:
    site = small_site()
    assert len(refused(site.core, site)) == 1
    rebuilt = Core([wire.decode_fact(body) for body in site.journal], site.now)
    rebuilt.adopt(site.core.seen, site.now)
    assert len(refused(rebuilt, site)) == 1


def test_an_order_that_was_refused_is_sent_again_although_its_deadline_went_with_the_tables() -> None:
    site = small_site()
    key = r.OrderKey(failover=FailoverId(""), step=0, attempt=0)
    order = r.StandDown(key=key, epoch=site.row("F").assignment.epoch)
    refusal = r.Refusal(reason=r.RefusalReason.CANNOT_SAVE, sentence="Its disk is full.", epoch=order.epoch)
    site.core.take(i.OrderAnswered(recorder=rid("F"), order=order, answer=refusal), site.now)
    assert not site.core.seen.refused_orders[rid("F")].again
    rebuilt = Core([wire.decode_fact(body) for body in site.journal], site.now)
    rebuilt.adopt(site.core.seen, site.now)
    later = site.now.after(REFUSED_AGAIN_MS)
    rebuilt.tick(later)
    assert rebuilt.seen.refused_orders[rid("F")].again
