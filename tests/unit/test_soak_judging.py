"""The judging of a long run."""

from __future__ import annotations

from tests.soak.judging import Ledger, memory, over_quota, verdict


def ledger(*pieces: list[int]) -> Ledger:
    found = Ledger()
    for number, numbers in enumerate(pieces):
        found.add(f"piece-{number}", numbers)
    return found


def test_every_number_once_in_whatever_order_the_pieces_come() -> None:
    sound = ledger([3, 4, 5], [], [0, 1, 2], [6])
    assert (sound.findings(), sound.frames) == ([], 7)
    assert ledger([0, 1], [3]).findings() == ["between two pieces, after frame 1: 1 frames are missing"]
    assert ledger([0, 1], [1, 2]).findings() == ["between two pieces, after frame 1: 1 frames are doubled"]
    assert ledger([0, 1, 3]).findings() == ["piece-0: 1 frames are missing or doubled inside"]


def test_memory_is_flat_when_the_line_through_it_is() -> None:
    still = memory("a", [(0, 50.0), (60, 50.4), (120, 49.8), (180, 50.1)])
    assert still.flat
    assert abs(still.slope_mb_h) < 20
    leak = memory("b", [(60.0 * minute, 50.0 + minute) for minute in range(16)])
    assert not leak.flat
    assert round(leak.slope_mb_h) == 60
    assert round(leak.growth_mb) == 15
    assert memory("bus", [(0.0, 10.0), (60.0, 20.0)]).flat
    assert not memory("bus", [(0.0, 10.0), (60.0, 30.0)]).flat
    assert memory("c", [(5.0, 7.0), (5.0, 9.0)]).flat, "without time there is no growth"


def test_the_verdict_names_everything_that_is_wrong() -> None:
    good = memory("a", [(0, 50.0), (60, 50.0)])
    leak = memory("b", [(0, 50.0), (60, 60.0)])
    fine = verdict({"cam": ledger([0, 1])}, [good], {"d": [10]}, 1_000_000, 3)
    assert fine["findings"] == []
    assert fine["frames"] == 2
    bad = verdict({"cam": ledger([0, 2]), "none": ledger()}, [leak], {"d": [9_000_000]}, 1_000_000, 0)
    assert [finding.split(":")[0] for finding in bad["findings"]] == [
        "cam",
        "none",
        "b",
        "d",
        "no footage was deleted",
    ]


def test_a_quota_has_the_slack_of_what_is_being_written() -> None:
    assert over_quota("d", [20_000_000, 24_000_000], 20_000_000) == []
    assert over_quota("d", [31_000_000], 20_000_000) == ["d: footage took 31.0 MB, and its quota is 20.0 MB"]
