"""Starting, asking, hearing the coordinator, reporting, stopping (SPEC 13.1, 13.2)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.documents import SettingsSummary
from sysmanager.domain.instant import Instant
from sysmanager.protocol.recorders import Ask, Mode
from sysmanager.recorder.machine import effects as e
from sysmanager.recorder.machine import inputs as i
from sysmanager.recorder.machine.orders import OrderTurn, Result, refuse_down
from sysmanager.recorder.machine.plan import plan_of
from sysmanager.recorder.machine.state import (
    ASK_AGAIN_MS,
    ASK_LIMIT_MS,
    LOAD_AGAIN_MS,
    SILENCE_SAID_MS,
    MachineState,
    Situation,
    held_documents,
)

replace = msgspec.structs.replace


def _ask(state: MachineState) -> e.SendAsk:
    persisted = state.persisted
    return e.SendAsk(ask=Ask(recorder=persisted.recorder, instance=persisted.instance, epoch=persisted.epoch, home=persisted.home))


# ---------------------------------------------------------------- starting


def has_task(state: MachineState, started: i.Started, now: Instant) -> bool:
    return started.doubtful or started.persisted.mode is Mode.RECORDING


def _started(state: MachineState, started: i.Started, now: Instant, situation: Situation) -> MachineState:
    return MachineState(
        identity=state.identity,
        persisted=started.persisted,
        situation=situation,
        beacon_ms=now.mono_ms,
        disks=state.disks,
        refuse_by_hand=state.refuse_by_hand,
        down_sentence=state.down_sentence,
    )


def start_asking(state: MachineState, started: i.Started, now: Instant) -> Result:
    """Documents that a kill left behind go, unless it is in doubt which ones are needed."""
    state = _started(state, started, now, Situation.ASKING)
    state = replace(state, asking_ms=now.mono_ms, next_ask_ms=now.mono_ms + ASK_AGAIN_MS)
    out: e.Effects = (_ask(state),)
    if state.persisted.documents is not None:
        out = (*out, e.FetchDocuments(documents=state.persisted.documents))
    if not started.doubtful:
        out = (*out, e.ForgetDocuments(keep=held_documents(state)))
    return state, out


def start_standby(state: MachineState, started: i.Started, now: Instant) -> Result:
    state = _started(state, started, now, Situation.STANDBY)
    return state, (e.ForgetDocuments(keep=held_documents(state)),)


# ---------------------------------------------------------------- leave to open the cameras


def _loaded(state: MachineState) -> bool:
    persisted = state.persisted
    return state.settings is not None or persisted.documents is None or persisted.mode is Mode.STANDBY


def _opened(state: MachineState, next_ask_ms: int | None) -> Result:
    """Go to the last task."""
    state = replace(state, leave=False, next_ask_ms=next_ask_ms, next_load_ms=None)
    if state.persisted.mode is Mode.STANDBY:
        return replace(state, situation=Situation.STANDBY, next_ask_ms=None, settings=None), ()
    out: e.Effects = ()
    settings = state.settings
    if settings is None:
        settings = SettingsSummary()
        out = (e.Say(sentence="This recorder has no settings and records nothing; give it some in its configuration.", warning=True),)
    state = replace(state, situation=Situation.RECORDING, settings=settings)
    return state, (e.StartCapture(plan=plan_of(state.persisted, settings)), *out)


def is_leave_loaded(state: MachineState, answered: i.AskAnswered, now: Instant) -> bool:
    return _loaded(state)


def open_cameras(state: MachineState, answered: i.AskAnswered, now: Instant) -> Result:
    return _opened(state, None)


def keep_leave(state: MachineState, answered: i.AskAnswered, now: Instant) -> Result:
    return replace(state, leave=True, next_ask_ms=None), ()


def end_question(state: MachineState, answered: i.AskAnswered, now: Instant) -> Result:
    return replace(state, next_ask_ms=None), ()


def nothing(state: MachineState, any_input: object, now: Instant) -> Result:
    return state, ()


def _waited(state: MachineState, now: Instant) -> bool:
    return not state.leave and now.mono_ms - state.asking_ms >= ASK_LIMIT_MS


def waited_loaded(state: MachineState, tick: i.Tick, now: Instant) -> bool:
    return _waited(state, now) and _loaded(state)


def open_unanswered(state: MachineState, tick: i.Tick, now: Instant) -> Result:
    """Twice is better than never: it records with its last epoch, and goes on asking."""
    state, out = _opened(state, now.mono_ms)
    said = e.Say(sentence=f"No answer from the coordinator within {ASK_LIMIT_MS // 1000} s; it goes on with epoch {state.persisted.epoch}.")
    return state, (said, *out)


def waited_unloaded(state: MachineState, tick: i.Tick, now: Instant) -> bool:
    return _waited(state, now)


def leave_unanswered(state: MachineState, tick: i.Tick, now: Instant) -> Result:
    return replace(state, leave=True), ()


def loads_task(state: MachineState, ready: i.DocumentsReady | i.DocumentsFailed, now: Instant) -> bool:
    return state.settings is None and state.persisted.documents == ready.documents


def loads_task_with_leave(state: MachineState, ready: i.DocumentsReady, now: Instant) -> bool:
    return loads_task(state, ready, now) and state.leave


def load(state: MachineState, ready: i.DocumentsReady, now: Instant) -> Result:
    return replace(state, settings=ready.settings, next_load_ms=None), ()


def load_and_open(state: MachineState, ready: i.DocumentsReady, now: Instant) -> Result:
    state, _ = load(state, ready, now)
    return _opened(state, state.next_ask_ms)


def load_later(state: MachineState, failed: i.DocumentsFailed, now: Instant) -> Result:
    said = e.Say(sentence=f"Its documents cannot be read: {failed.sentence} It tries again.", warning=True)
    return replace(state, next_load_ms=now.mono_ms + LOAD_AGAIN_MS), (said,)


# ---------------------------------------------------------------- time and the beacon


def ask_due(state: MachineState, tick: i.Tick, now: Instant) -> bool:
    return state.next_ask_ms is not None and now.mono_ms >= state.next_ask_ms


def ask_again(state: MachineState, tick: i.Tick, now: Instant) -> Result:
    pause_ms = ASK_AGAIN_MS if state.situation is Situation.ASKING else ASK_LIMIT_MS
    return replace(state, next_ask_ms=now.mono_ms + pause_ms), (_ask(state),)


def load_due(state: MachineState, tick: i.Tick, now: Instant) -> bool:
    return state.next_load_ms is not None and now.mono_ms >= state.next_load_ms


def load_again(state: MachineState, tick: i.Tick, now: Instant) -> Result:
    documents = state.persisted.documents
    state = replace(state, next_load_ms=None)
    return state, (e.FetchDocuments(documents=documents),) if documents is not None else ()


def silence_due(state: MachineState, tick: i.Tick, now: Instant) -> bool:
    return not state.silence_said and now.mono_ms - state.beacon_ms >= SILENCE_SAID_MS


def say_silence(state: MachineState, tick: i.Tick, now: Instant) -> Result:
    said = e.Say(sentence=f"No coordinator was heard for {SILENCE_SAID_MS // 1000} s; nobody watches this server.", warning=True)
    return replace(state, silence_said=True), (said,)


def was_away(state: MachineState, heard: i.BeaconHeard, now: Instant) -> bool:
    return state.next_ask_ms is None and now.mono_ms - state.beacon_ms > ASK_LIMIT_MS


def hear(state: MachineState, heard: i.BeaconHeard, now: Instant) -> Result:
    out: e.Effects = (e.Say(sentence="The coordinator is heard again."),) if state.silence_said else ()
    return replace(state, beacon_ms=now.mono_ms, silence_said=False), out


def hear_and_ask(state: MachineState, heard: i.BeaconHeard, now: Instant) -> Result:
    """It may have been replaced meanwhile; it records on until it learns so."""
    state, out = hear(state, heard, now)
    return replace(state, next_ask_ms=now.mono_ms + ASK_LIMIT_MS), (*out, _ask(state))


def deadline_ms(state: MachineState) -> int | None:
    """The monotonic moment of the next `Tick` that does something; None while the service is down."""
    if state.situation is Situation.DOWN:
        return None
    due_ms = None if state.silence_said else state.beacon_ms + SILENCE_SAID_MS
    for other_ms in (
        state.next_ask_ms,
        state.next_load_ms,
        state.asking_ms + ASK_LIMIT_MS if state.situation is Situation.ASKING and not state.leave else None,
    ):
        if other_ms is not None and (due_ms is None or other_ms < due_ms):
            due_ms = other_ms
    return due_ms


# ---------------------------------------------------------------- reports, hands, the end


def take_disks(state: MachineState, changed: i.DisksChanged, now: Instant) -> Result:
    return replace(state, disks=changed.disks), ()


def take_cameras(state: MachineState, reported: i.CaptureReported, now: Instant) -> Result:
    return replace(state, cameras=reported.cameras), ()


def take_hand(state: MachineState, hand: i.RefuseByHand, now: Instant) -> Result:
    return replace(state, refuse_by_hand=hand.present), ()


def stop(state: MachineState, stopped: i.ServiceStopped, now: Instant) -> Result:
    """What stands on the disk stays; who waits for an answer gets it."""
    down = replace(
        state,
        situation=Situation.DOWN,
        settings=None,
        pending=None,
        queued=None,
        leave=False,
        next_ask_ms=None,
        next_load_ms=None,
        cameras=(),
        preroll=None,
        down_sentence=stopped.sentence,
    )
    out: e.Effects = (e.StopCapture(),) if state.situation is Situation.RECORDING else ()
    for waiting in (state.pending, state.queued):
        if waiting is not None:
            out = (*out, *refuse_down(down, OrderTurn(order=waiting.order, tickets=waiting.tickets), now)[1])
    return down, out
