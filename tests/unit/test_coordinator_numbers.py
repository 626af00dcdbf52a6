"""The durations, limits and shares by which the coordinator decides, each written down a second time.

The other tests reckon with the names, so that none of them would notice if a number became another one. What SPEC 4 to 14
promises in seconds is promised here; whoever changes a number changes it in two places, and sees what it stands for.
A new one is added here.
"""

from __future__ import annotations

import importlib

NUMBERS: dict[str, dict[str, int]] = {
    "audit": {"FOLD_MS": 60_000, "LINES_PER_SPAN": 100, "SPAN_MS": 600_000, "SENTENCE_LIMIT": 400},
    "automatic_failback": {"TRIES": 3, "WAIT_LIMIT_S": 3_600},
    "backup": {"BASELINE_MS": 10_000, "AGAIN_MS": 60_000},
    "brake": {"TOGETHER_MS": 10_000, "SILENT_MS": 3_000},
    "crashes": {"WINDOW_MS": 600_000},
    "decide": {"BRAKE_LOOK_MS": 1_000, "PROOF_MS": 500, "HOURS_LOOK_MS": 60_000},
    "detection": {"DISKS_LOST_MS": 5_000, "FRAMES_LOST_MS": 10_000, "START_GRACE_MS": 300_000},
    "evolve.reconcile": {"LOST_EPOCHS": 1_000},
    "evolve.tables": {"AWAY_LIMIT": 100},
    "failback": {"DOCUMENTS_MS": 5_000, "ANSWER_MS": 5_000, "DARK_SHARE_PERCENT": 10},
    "failback_preview": {"HAND_OVER_MS": 500, "FIRST_FRAME_MS": 1_000, "FIRST_FRAME_LIMIT_MS": 10_000},
    "failover": {
        "CACHE_MS": 20_000,
        "ANSWER_MS": 5_000,
        "DELIVERY_MS": 2_000,
        "WAITING_LOOK_MS": 5_000,
        "LOST_LIMIT": 2,
        "RETRY_MS": 60_000,
    },
    "gaps": {"GAP_WAIT_MS": 30_000},
    "handing": {"FRAMES_MS": 10_000},
    "heard": {"RIVAL_MS": 5_000, "OFFSET_WINDOW_MS": 30_000, "FRESH_MS": 3_000},
    "jobs.copying": {"TELL_MS": 60_000},
    "jobs.coverage": {"SPANS_LIMIT": 100},
    "jobs.drilling": {"DRILL_S": 5, "DRILL_MS": 60_000, "LOOK_MS": 60_000, "AGAIN_MS": 3_600_000, "DAY_MS": 86_400_000},
    "jobs.orders": {"REFUSED_MS": 10_000},
    "jobs.review": {"HOURS_LOOK_MS": 30_000},
    "landing": {"PAIRS_LIMIT": 100},
    "listening": {"LISTEN_GAP_MS": 1_500},
    "maintenance": {"LOOK_MS": 60_000},
    "opinions": {"FRESH_MS": 5_000, "REACHED_MS": 15_000},
    "preroll": {"OPEN_S": 5, "GOP_S": 2, "LEAST_S": 10, "SESSIONS": 2, "SESSIONS_AWAY": 3},
    "preview": {"HOLDER_LIMIT": 1_000},
    "probing": {"ASK_EVERY_MS": 1_000, "ASKED_AT_ONCE": 2, "LEAST_PAUSE_MS": 50},
    "readiness_book": {"STEP": 150},
    "readiness_drill": {"DAY_MS": 86_400_000, "OLD_DAYS": 90},
    "requests.handling": {"TEXT_LIMIT": 120, "DESCRIPTION_LIMIT": 1_000},
    "requests.system": {"RATE_LIMIT_KBPS": 100_000_000, "DAYS_LIMIT": 366},
    "seen": {"UNKNOWN_LIMIT": 200, "CLOCK_OFF_MS": 2_000},
    "selection": {"UNLISTED": 1_000_000},
    "starting": {"OPINION_LIMIT_MS": 300_000},
    "state": {"STARTS_KEPT": 3, "ENDED_KEPT": 200},
    "switching": {"RELIEF_MS": 500},
}


def found() -> dict[str, dict[str, int]]:
    modules = {name: importlib.import_module(f"sysmanager.coordinator.{name}") for name in NUMBERS}
    return {name: {number: vars(modules[name])[number] for number in numbers} for name, numbers in NUMBERS.items()}


def test_every_number_is_what_it_was_meant_to_be() -> None:
    assert found() == NUMBERS
