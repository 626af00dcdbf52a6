"""Steps 1 to 5 of a failback: what has to hold before it may start, each as a check that people can read (SPEC 8)."""

from __future__ import annotations

from sysmanager.coordinator.seen import Seen
from sysmanager.coordinator.selection import fitness, room
from sysmanager.coordinator.state import View, running_in_group, unreconciled
from sysmanager.domain.failover import Failover, Phase, Reason
from sysmanager.domain.recorder import Acting, Broken
from sysmanager.protocol.clients import Check, Level


def checks(view: View, seen: Seen, entry: Failover) -> tuple[Check, ...]:
    """All five. A failback may start if none of them is a stop."""
    return (
        _check_entry(entry),
        _check_server(view, seen, entry),
        _check_recorder(view, seen, entry),
        _check_enabled(view, entry),
        _check_group(view, entry),
    )


def _stop(sentence: str) -> Check:
    return Check(level=Level.STOP, sentence=sentence)


def _good(sentence: str) -> Check:
    return Check(level=Level.GOOD, sentence=sentence)


def _check_entry(entry: Failover) -> Check:
    if entry.phase is Phase.SUPERSEDED:
        return _stop("Another entry of the log, or a reconcile, has ended this one; a failback starts from the newest entry of the server.")
    if entry.phase is Phase.FAILBACK_UNDOING:
        return _stop("A failback of it is being undone; start it again when the failover server has all cameras again.")
    if entry.phase is not Phase.READY:
        return _stop(f"The log entry is \u201c{entry.log_state}\u201d; a failback starts from \u201cFailover ready\u201d.")
    return _good("The log entry is ready for a failback.")


def _check_server(view: View, seen: Seen, entry: Failover) -> Check:
    server = view.recorders.get(entry.server) if entry.server is not None else None
    if server is None or not isinstance(server.assignment, Acting) or server.assignment.failover != entry.id:
        return _stop(f"{entry.server} no longer acts for {entry.home}.")
    if unreconciled(view, server.id):
        return _stop(f"{server.name} has not been reconciled yet; confirm the reconcile first.")
    if not seen.connected(server.id):
        return Check(level=Level.WARNING, sentence=f"{server.name} is not connected; its last known documents are taken.")
    return _good(f"{server.name} acts for {entry.home}.")


def _check_recorder(view: View, seen: Seen, entry: Failover) -> Check:
    home = view.recorders.get(entry.home)
    if home is None:
        return _stop(f"{entry.home} is no longer in system data; add it again.")
    if not isinstance(home.assignment, Broken):
        return _stop(f"{home.name} is not broken in system data.")
    heard = seen.of(home.id)
    if heard.beat is None or not seen.connected(home.id):
        return _stop(f"{home.name} is not connected; switch it on and check its network.")
    if heard.leaving is not None:
        return _stop(f"{home.name} announced its shutdown; wait until it is back.")
    if heard.reports_service_failed():
        return _stop(f"The recording service of {home.name} cannot be started; see its Watchdog's log.")
    if unreconciled(view, home.id):
        return _stop(f"{home.name} has not been reconciled yet; confirm the reconcile first.")
    server = view.recorders.get(entry.server) if entry.server is not None else None
    settings = server.settings if server is not None else home.settings
    objection = fitness(heard.beat, settings, home.version)
    if objection is not None:
        return _stop(f"{home.name} {objection}.")
    wanted = tuple(camera for camera in settings.cameras if camera.moves)
    fitting, left = room(wanted, heard.beat)
    if left:
        return _stop(f"{home.name} has room for {len(fitting)} of {len(wanted)} cameras.")
    return _good(f"{home.name} is connected, its disks are writable.")


def _check_enabled(view: View, entry: Failover) -> Check:
    home = view.recorders.get(entry.home)
    if home is not None and not home.failover_enabled:
        return _stop(f"Failover is off for {home.name}; switch it on in its settings.")
    return _good("Failover is enabled.")


def _check_group(view: View, entry: Failover) -> Check:
    running = running_in_group(view, entry.group)
    if running is not None:
        return _stop(f"{running.id} is running in the group; wait until it is done.")
    return _good("No other failover or failback of the group is running.")


def reason_of(entry: Failover, view: View, seen: Seen) -> Reason:
    """Which reason of the log says why the checks stop."""
    if entry.phase is not Phase.READY or running_in_group(view, entry.group) is not None:
        return Reason.INVALID_LOG_STATE
    if entry.home not in view.recorders:
        return Reason.NO_RECORDER
    if _check_server(view, seen, entry).level is Level.STOP:
        return Reason.WRONG_STATE_OF_FAILOVER_SERVER
    return Reason.WRONG_STATE_OF_SERVER
