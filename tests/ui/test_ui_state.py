"""Reducer and store: pure state, and how often it is announced."""

from __future__ import annotations

import msgspec

from sysmanager.api import Changes, Health
from sysmanager.domain.ids import FailoverId
from sysmanager.domain.recorder import Role
from sysmanager.domain.rights import Actor, RoleName
from sysmanager.ui.state.events import (
    ChangesArrived,
    DraftDropped,
    Event,
    FailoverSelected,
    FieldsEdited,
    ForecastArrived,
    LinkChanged,
    LogFiltered,
    NoticeDismissed,
    NoticeShown,
    OperationEnded,
    OperationSlow,
    OperationStarted,
    PlaceSelected,
    PracticeOffered,
    SessionChanged,
    SnapshotArrived,
)
from sysmanager.ui.state.model import NOTICE_LIMIT, Forecast, Link, Place, Running, Tone, UiState
from sysmanager.ui.state.reducer import reduce
from sysmanager.ui.state.store import Store
from tests.ui import site
from tests.ui.fakes import ManualClock

T1, T3 = site.rid("TA-REC-01"), site.rid("TA-REC-03")


def fresh() -> UiState:
    return UiState(actor=site.ADMIN)


def loaded(*events: Event) -> UiState:
    state = reduce(fresh(), SnapshotArrived(site.harbour()))
    for event in events:
        state = reduce(state, event)
    return state


def changed(**rows: object) -> ChangesArrived:
    return ChangesArrived(msgspec.structs.replace(Changes(sequence=2), **rows))


def test_a_snapshot_fills_the_state_and_selects_what_needs_a_person_most() -> None:
    state = loaded()
    assert state.link is Link.CONNECTED
    assert len(state.recorders) == 13
    assert (state.place, state.selected) == (Place.SERVER, T3)
    assert state.selected_failover == FailoverId("F00034")


def test_where_all_are_well_the_first_recorder_is_selected_and_not_a_failover_server() -> None:
    roles = {"B-10": Role.STANDARD, "A-FO": Role.FAILOVER, "B-2": Role.STANDARD}
    rows = tuple(site.server(name, site.A, role=role) for name, role in roles.items())
    harbour = msgspec.structs.replace(site.harbour(), recorders=rows)
    assert reduce(fresh(), SnapshotArrived(harbour)).selected == site.rid("B-2")


def test_a_second_snapshot_keeps_the_selection() -> None:
    state = loaded(PlaceSelected(Place.SERVER, T1), SnapshotArrived(site.harbour()))
    assert state.selected == T1


def test_an_empty_site_selects_nothing() -> None:
    state = reduce(fresh(), SnapshotArrived(site.empty()))
    assert (state.place, state.selected, state.selected_failover) == (Place.NOTHING, None, None)


def test_changes_replace_and_remove_rows() -> None:
    row = msgspec.structs.replace(loaded().recorders[T1], condition="1 disk lost", health=Health.WARNING)
    state = loaded(changed(recorders=(row,), removed_recorders=(site.rid("TA-REC-02"),), removed_groups=(site.B,)))
    assert state.recorders[T1].condition == "1 disk lost"
    assert site.rid("TA-REC-02") not in state.recorders
    assert set(state.groups) == {site.A}


def test_changes_without_rows_keep_the_tables_themselves() -> None:
    before = loaded()
    after = reduce(before, changed(system=site.system(ready=1)))
    assert after.recorders is before.recorders
    assert after.failovers is before.failovers
    assert after.system is not None
    assert after.system.ready == 1


def test_a_removed_server_is_no_longer_selected() -> None:
    state = loaded(changed(removed_recorders=(T3,)))
    assert (state.place, state.selected) == (Place.SITE, None)


def test_a_forecast_for_another_server_is_dropped() -> None:
    state = loaded()
    assert reduce(state, ForecastArrived(Forecast(recorder=T1, preview=None))) is state
    shown = reduce(state, ForecastArrived(Forecast(recorder=T3, preview=None, sentence="x")))
    assert shown.forecast is not None
    assert reduce(shown, PlaceSelected(Place.SERVER, T1)).forecast is None


def test_editing_makes_a_draft_and_typing_it_back_drops_it() -> None:
    state = loaded(PlaceSelected(Place.SERVER, T1))
    row = state.recorders[T1]
    edited = reduce(state, FieldsEdited(T1, msgspec.structs.replace(row.edit, name="New")))
    assert edited.draft is not None
    assert edited.fields is not None
    assert edited.fields.name == "New"
    assert edited.recorders[T1].name == "TA-REC-01"
    assert reduce(edited, FieldsEdited(T1, row.edit)).draft is None
    assert reduce(edited, DraftDropped(T1)).draft is None


def test_a_draft_of_a_row_that_changed_meanwhile_is_a_conflict() -> None:
    state = loaded(PlaceSelected(Place.SERVER, T1))
    row = state.recorders[T1]
    state = reduce(state, FieldsEdited(T1, msgspec.structs.replace(row.edit, name="New")))
    assert state.conflict is None
    after = reduce(state, changed(recorders=(msgspec.structs.replace(row, revision=5),)))
    assert after.conflict is not None
    assert after.fields is not None
    assert after.fields.name == "New"
    assert reduce(state, changed(removed_recorders=(T1,))).drafts == {}


def test_ones_own_change_that_is_announced_before_the_answer_is_no_conflict() -> None:
    state = loaded(PlaceSelected(Place.SERVER, T1))
    row = state.recorders[T1]
    state = reduce(state, FieldsEdited(T1, msgspec.structs.replace(row.edit, name=" New ")))
    after = reduce(state, changed(recorders=(msgspec.structs.replace(row, name="New", revision=5),)))
    assert after.conflict is None


def test_drafts_of_several_servers_are_kept_apart() -> None:
    state = loaded(PlaceSelected(Place.SERVER, T1))
    state = reduce(state, FieldsEdited(T1, msgspec.structs.replace(state.recorders[T1].edit, name="New")))
    state = reduce(state, PlaceSelected(Place.SERVER, T3))
    assert state.draft is None
    state = reduce(state, FieldsEdited(T3, msgspec.structs.replace(state.recorders[T3].edit, address="10.0.0.1")))
    state = reduce(state, PlaceSelected(Place.SERVER, T1))
    assert state.draft is not None
    assert state.draft.fields.name == "New"
    assert set(reduce(state, DraftDropped(T1)).drafts) == {T3}


def test_telemetry_does_not_conflict_with_a_draft() -> None:
    state = loaded(PlaceSelected(Place.SERVER, T1))
    row = state.recorders[T1]
    state = reduce(state, FieldsEdited(T1, msgspec.structs.replace(row.edit, name="New")))
    after = reduce(state, changed(recorders=(msgspec.structs.replace(row, silence_ms=900),)))
    assert after.conflict is None


def test_an_edit_of_an_unknown_server_changes_nothing() -> None:
    state = loaded()
    assert reduce(state, FieldsEdited(site.rid("nobody"), state.recorders[T1].edit)) is state


def test_notices_are_bounded_and_the_same_sentence_is_said_once() -> None:
    state = fresh()
    for number in range(NOTICE_LIMIT + 3):
        state = reduce(state, NoticeShown(Tone.BAD, f"Sentence {number}."))
    assert len(state.notices) == NOTICE_LIMIT
    again = reduce(state, NoticeShown(Tone.BAD, state.notices[0].sentence))
    assert len(again.notices) == NOTICE_LIMIT
    assert reduce(again, NoticeDismissed(again.notices[-1].number)).notices == again.notices[:-1]


def test_operations_run_become_slow_and_end() -> None:
    state = reduce(fresh(), OperationStarted(Running(key="a", sentence="A.")))
    state = reduce(state, OperationStarted(Running(key="b", sentence="B.")))
    state = reduce(state, OperationSlow("a"))
    assert [running.slow for running in state.running] == [True, False]
    assert [running.key for running in reduce(state, OperationEnded("a")).running] == ["b"]


def test_a_new_session_drops_what_the_old_one_edited() -> None:
    state = loaded(PlaceSelected(Place.SERVER, T1))
    state = reduce(state, FieldsEdited(T1, msgspec.structs.replace(state.recorders[T1].edit, name="New")))
    monitoring = Actor(name="m", role=RoleName.MONITORING)
    after = reduce(state, SessionChanged(monitoring, tuple(RoleName)))
    assert (after.actor, after.draft, after.offered) == (monitoring, None, tuple(RoleName))


def test_events_that_change_nothing_give_the_same_state() -> None:
    state = loaded(FailoverSelected(FailoverId("F00033")), LogFiltered("quay"))
    for event in (FailoverSelected(FailoverId("F00033")), LogFiltered("quay"), DraftDropped(T1), PlaceSelected(Place.SERVER, T3)):
        assert reduce(state, event) is state


def test_a_lost_link_is_said_and_a_snapshot_ends_it() -> None:
    lost = loaded(LinkChanged(Link.LOST, "Gone."))
    assert (lost.link, lost.link_sentence) == (Link.LOST, "Gone.")
    back = reduce(lost, SnapshotArrived(site.harbour()))
    assert (back.link, back.link_sentence) == (Link.CONNECTED, "")


def test_the_levers_of_the_demo() -> None:
    assert reduce(fresh(), PracticeOffered()).practice


class Listening:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = Store(fresh(), self.clock)
        self.seen: list[UiState] = []
        self.end = self.store.subscribe(self.seen.append)

    def tell(self, ready: int) -> None:
        self.store.dispatch(changed(system=site.system(ready=ready)))

    @property
    def ready(self) -> list[int]:
        return [state.system.ready for state in self.seen if state.system is not None]


def test_the_first_change_is_announced_at_once_and_later_ones_merged() -> None:
    listening = Listening()
    listening.tell(1)
    assert listening.ready == [1]
    for ready in (2, 3, 4):
        listening.tell(ready)
    assert listening.ready == [1]
    assert not listening.store.settled
    listening.clock.advance(0.1)
    assert listening.ready == [1, 4]
    assert listening.store.settled


def test_at_most_ten_updates_a_second() -> None:
    listening = Listening()
    for number in range(1000):
        listening.tell(number + 1)
        listening.clock.advance(0.001)
    assert len(listening.ready) <= 11
    listening.clock.advance(0.1)
    assert listening.ready[-1] == 1000


def test_what_a_person_does_is_announced_at_once_with_what_was_pending() -> None:
    listening = Listening()
    listening.tell(1)
    listening.tell(2)
    listening.store.dispatch(LogFiltered("x"))
    assert listening.ready == [1, 2]
    listening.clock.advance(0.1)
    assert listening.ready == [1, 2]


def test_a_change_that_changes_nothing_is_not_announced() -> None:
    listening = Listening()
    listening.store.dispatch(LogFiltered(""))
    assert len(listening.seen) == 1


def test_an_ended_subscription_hears_nothing() -> None:
    listening = Listening()
    listening.end()
    listening.end()
    listening.tell(1)
    assert listening.ready == []
