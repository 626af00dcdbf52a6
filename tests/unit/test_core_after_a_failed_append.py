"""What the core keeps when an append failed, and what it must not."""

from __future__ import annotations

from sysmanager import wire
from sysmanager.coordinator import facts as f
from sysmanager.coordinator import inputs as i
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.engine.core import Core
from sysmanager.protocol import clients as c
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
