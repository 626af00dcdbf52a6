"""What happened in a simulation, told in lines with virtual times."""

from __future__ import annotations

import msgspec

from sysmanager.coordinator import facts as f
from sysmanager.domain.ids import RecorderId
from sysmanager.domain.rights import Actor
from sysmanager.protocol.clients import Refused, Reply, Request
from sysmanager.protocol.recorders import Obeyed, Refusal
from sysmanager.recorder import machine as m

LINES_LIMIT = 20_000
FIELD_LIMIT = 160

_BRIEF = {
    f.RecorderAdded: ("recorder",),
    f.GapsMeasured: ("failover",),
    f.DocumentsCached: ("recorder",),
}
_LEFT_OUT = {"verdicts", "moved", "not_moved", "to_do", "gaps", "duration_ms", "settings", "opening", "reservation", "next"}


class Story:
    """The lines so far, oldest first; beyond the limit the oldest go."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def add(self, now_ms: int, sentence: str) -> None:
        minutes, rest_ms = divmod(now_ms, 60_000)
        self.lines.append(f"{minutes:3d}:{rest_ms // 1000:02d}.{rest_ms % 1000:03d}  {sentence}")
        if len(self.lines) > LINES_LIMIT:
            del self.lines[: LINES_LIMIT // 4]

    def fact(self, now_ms: int, record: f.FactRecord) -> None:
        self.add(now_ms, f"fact  {type(record.fact).__name__} {_fields(record.fact)} ({record.actor.name})")

    def request(self, now_ms: int, actor: Actor, request: Request) -> None:
        self.add(now_ms, f"{actor.name} asks: {type(request).__name__} {_fields(request)}")

    def reply(self, now_ms: int, reply: Reply) -> None:
        word = "refused" if isinstance(reply, Refused) else "done"
        self.add(now_ms, f"reply {word}: {reply.sentence}")

    def effect(self, now_ms: int, recorder: RecorderId, effect: m.Effect) -> None:
        match effect:
            case m.Answer(answer=Refusal(sentence=sentence)):
                self.add(now_ms, f"{recorder}: refuses: {sentence}")
            case m.Answer(answer=Obeyed(epoch=epoch)):
                self.add(now_ms, f"{recorder}: obeyed under epoch {epoch}")
            case m.StartCapture(plan=plan) | m.ChangeCapture(plan=plan):
                self.add(now_ms, f"{recorder}: records {len(plan.cameras)} cameras of {plan.home} under epoch {plan.epoch}")
            case m.StopCapture():
                self.add(now_ms, f"{recorder}: stops recording")
            case m.SendAsk(ask=ask):
                self.add(now_ms, f"{recorder}: asks whether it may record for {ask.home} under epoch {ask.epoch}")
            case m.Say(sentence=sentence):
                self.add(now_ms, f"{recorder}: {sentence}")
            case _:
                pass


def _fields(value: msgspec.Struct) -> str:
    names = _BRIEF.get(type(value))
    parts: list[str] = []
    for name in names or value.__struct_fields__:
        inner = getattr(value, name)
        if name in ("opening", "reservation", "next") and isinstance(inner, msgspec.Struct):
            parts.append(_fields(inner))
        elif name in _LEFT_OUT or inner in ("", None, (), 0):
            continue
        else:
            parts.append(f"{name}={getattr(inner, 'id', inner)}")
    return " ".join(parts)[:FIELD_LIMIT]
