"""A fixed set of seeds holds all rules; the same seed gives the same journal, in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from statistics import median

import msgspec
import pytest

from sysmanager.simulation import command
from sysmanager.simulation.checkers import NAMES
from sysmanager.simulation.counting import COORDINATOR_ROWS, MACHINE_ROWS, UNREACHABLE
from sysmanager.simulation.run import Report, draw, run_seed, simulate

SHORT_SEEDS = range(1, 51)


@pytest.fixture(scope="module")
def report() -> Report:
    return simulate(SHORT_SEEDS, short=True)


def test_no_seed_breaks_a_rule(report: Report) -> None:
    assert report.passed, [(failure.seed, failure.rule, failure.sentence, *failure.tail) for failure in report.failures]
    assert report.seeds == len(SHORT_SEEDS)


def test_the_seeds_exercise_the_tables(report: Report) -> None:
    assert set(report.counts["row"]) >= {"001", "002", "011", "012", "020", "030", "041", "050", "051", "060", "100", "131", "141"}
    assert len(report.counts["fault"]) >= 20
    assert not report.never["checker"], "every checker had something to check"
    assert set(report.counts["checker"]) >= set(NAMES)


def test_the_median_seed_has_the_size_that_was_asked_for() -> None:
    drawn = [draw(seed) for seed in range(1, 401)]
    spares = [sum(1 for server in one.site.servers if server.settings is None) for one in drawn]
    assert median(len(one.site.servers) - few for one, few in zip(drawn, spares, strict=True)) >= 12
    assert median(spares) >= 3
    assert median(one.length_ms for one in drawn) >= 30 * 60_000
    assert median(len(one.deeds) for one in drawn) >= 3


def test_a_long_seed_takes_the_time_that_it_drew() -> None:
    seed = next(seed for seed in range(1, 100) if draw(seed).length_ms >= 30 * 60_000)
    outcome = run_seed(seed)
    assert outcome.failure is None
    assert outcome.virtual_ms >= 30 * 60_000
    assert outcome.faults >= 3


def test_the_same_seed_gives_the_same_journal() -> None:
    first, second = run_seed(5, short=True), run_seed(5, short=True, story=True)
    assert first.digest == second.digest
    assert first.counts == second.counts
    assert second.story


def test_the_same_seed_gives_the_same_journal_in_a_process_with_other_hashes() -> None:
    script = "from sysmanager.simulation.run import run_seed; print(run_seed(5, short=True).digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert digests == {run_seed(5, short=True).digest}


def test_seeds_differ() -> None:
    assert run_seed(1, short=True).digest != run_seed(2, short=True).digest


def test_the_command_tells_a_seed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "run_seed", lambda seed, story: run_seed(seed, short=True, story=story))
    assert command.simulate_command(range(3, 4), 3, True, False, 1) == 0
    told = capsys.readouterr().out
    assert "fault:" in told
    assert "FailoverStarted" in told
    assert "No rule was broken" in told
    assert command.simulate_command(range(3, 4), 3, False, True, 1) == 0
    assert msgspec.json.decode(capsys.readouterr().out)["failure"] is None


def test_the_command_sums_up_seeds_from_several_processes(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "simulate", lambda seeds, workers: simulate(seeds, short=True, workers=workers))
    assert command.simulate_command(range(1, 5), None, False, False, 2) == 0
    told = capsys.readouterr().out
    assert "4 seeds" in told
    assert "never early" in told
    assert command.simulate_command(range(1, 2), None, False, True, 1) == 0
    assert msgspec.json.decode(capsys.readouterr().out)["seeds"] == 1


def test_a_full_run_fails_when_something_was_never_exercised() -> None:
    few = Report(seeds=999, virtual_ms=1, facts=1, failures=(), counts={}, never={"row": ("015",)})
    full = msgspec.structs.replace(few, seeds=1_000)
    assert few.passed
    assert not full.passed
    assert msgspec.structs.replace(full, never={"row": (), "fault": ()}).passed
    assert "never did: row 015" in command._report_text(full, 1.0, story=False)


def test_what_no_seed_can_reach_is_a_row_and_few() -> None:
    assert set(UNREACHABLE["row"]) <= {f"{number:03d}" for number in COORDINATOR_ROWS}
    assert set(UNREACHABLE["machine row"]) <= {f"{number:02d}" for number in MACHINE_ROWS}
    assert sum(len(rows) for rows in UNREACHABLE.values()) <= 8
