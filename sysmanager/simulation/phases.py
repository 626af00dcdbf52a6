"""From which phases each fact may come: written down a second time, apart from the coordinator's table, so that one checks the other."""

from __future__ import annotations

from sysmanager.coordinator import facts as f
from sysmanager.domain.failover import Phase

_BEFORE_COMMIT = tuple(phase for phase in Phase if phase.before_commit)
_FAILBACK_BEFORE_COMMIT = (Phase.FAILBACK_STARTED, Phase.FAILBACK_TAKEN, Phase.FAILBACK_SAVED)

ALLOWED: dict[type, tuple[Phase | None, ...]] = {
    f.FailoverStarted: (None,),
    f.FailoverQueued: (None,),
    f.FailoverWithheld: (None,),
    f.FailoverSkipped: (None,),
    f.FailoverWaiting: (Phase.QUEUED, Phase.WAITING),
    f.ServerReserved: (Phase.QUEUED, Phase.WAITING),
    f.AttemptEnded: (Phase.FETCHED,),
    f.DocumentsChecked: (Phase.RESERVED,),
    f.SettingsSaved: (Phase.FETCHED,),
    f.TasksMoved: (Phase.SAVED,),
    f.ResultWritten: (Phase.COMMITTED,),
    f.ClientsNotified: (Phase.RECORDED,),
    f.GapsMeasured: (Phase.READY,),
    f.FailoverCancelled: _BEFORE_COMMIT,
    f.FailoverFailed: _BEFORE_COMMIT,
    f.ServerAdopted: (Phase.READY,),
    f.ReplacedRemoved: (Phase.READY,),
    f.FailbackStarted: (Phase.READY,),
    f.FailbackDocumentsTaken: (Phase.FAILBACK_STARTED,),
    f.FailbackSaved: (Phase.FAILBACK_TAKEN,),
    f.FailbackCommitted: (Phase.FAILBACK_SAVED,),
    f.FailbackPerformed: (Phase.FAILBACK_COMMITTED,),
    f.FailbackNotified: (Phase.FAILBACK_PERFORMED,),
    f.FailbackUndoing: (Phase.FAILBACK_SAVED,),
    f.FailbackUndone: (*_FAILBACK_BEFORE_COMMIT, Phase.FAILBACK_UNDOING),
    f.SessionsPassed: (Phase.SAVED, Phase.FAILBACK_SAVED, Phase.FAILBACK_UNDOING),
}
