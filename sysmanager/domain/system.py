"""Settings of the system as a whole: how careful the coordinator is before it acts by itself (SPEC 4, 13.3, 13.4, 13.6)."""

from __future__ import annotations

import msgspec

from sysmanager.domain.recorder import DETECTION_TIMEOUTS_S

BRAKE_SHARES_PERCENT = (1, 100)
BRAKE_MINIMUMS = (2, 1000)
BRAKE_LIMITS_S = (0, 3600)
MANUAL_MAINTENANCES_MIN = (1, 7 * 24 * 60)
FLAP_WINDOWS_MIN = (1, 7 * 24 * 60)
"""Least and most of each number."""


class SystemSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an administrator sets once for the whole system.

    brake_share_percent, brake_minimum: the mass-loss brake looks when more than this share of the recorders, and at least so many, fall
    silent within 10 s of one another. brake_limit_s: after so long it lets failovers go on all the same; None: never.
    opinion_holds: whether a failover waits, 5 min at most, while a failover server reaches the recorder and that says that it records.
    announced_timeout_s: the least detection timeout after an announced shutdown or restart; None: the recorder's own.
    manual_maintenance_min: how long a recorder is in maintenance after it was failed over by hand.
    flap_window_min: two failovers of one recorder within so long hold its automatic failback until a person acknowledged it (SPEC 13.5).
    """

    brake_share_percent: int = 30
    brake_minimum: int = 3
    brake_limit_s: int | None = 60
    opinion_holds: bool = False
    announced_timeout_s: int | None = None
    manual_maintenance_min: int = 480
    flap_window_min: int = 60


def objection_to(settings: SystemSettings) -> str | None:
    """What is wrong with the settings, in one sentence that names the field; None if nothing is."""
    spans = (
        ("brake_share_percent", settings.brake_share_percent, BRAKE_SHARES_PERCENT, "a percentage"),
        ("brake_minimum", settings.brake_minimum, BRAKE_MINIMUMS, "a number of recorders"),
        ("brake_limit_s", settings.brake_limit_s, BRAKE_LIMITS_S, "a number of seconds, or never"),
        ("manual_maintenance_min", settings.manual_maintenance_min, MANUAL_MAINTENANCES_MIN, "a number of minutes"),
        ("flap_window_min", settings.flap_window_min, FLAP_WINDOWS_MIN, "a number of minutes"),
    )
    for field, value, (least, most), what in spans:
        if value is not None and not least <= value <= most:
            return f"{value} does not fit the field {field}; give {what} from {least} to {most}."
    if settings.announced_timeout_s is not None and settings.announced_timeout_s not in DETECTION_TIMEOUTS_S:
        choices = ", ".join(str(seconds) for seconds in DETECTION_TIMEOUTS_S)
        return f"{settings.announced_timeout_s} does not fit the field announced_timeout_s; choose one of {choices} seconds, or none."
    return None
