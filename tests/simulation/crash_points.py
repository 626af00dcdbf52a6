"""Every scenario, with the coordinator killed at every point: `python -m tests.simulation.crash_points [--workers N] [WORDS]`.

From each prefix of its journal it is started again, between append and dispatch; and in each of its transactions it is killed at each
point. Everything must come to rest, no rule may be broken, and a scenario whose faults wait for nobody must end as it says. WORDS: only
scenarios whose name holds them. The test suite runs a fixed part of this.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from sysmanager.simulation.broken import Broken
from sysmanager.simulation.coordinator import KillPoint
from sysmanager.simulation.job_scenarios import JOB_SCENARIOS
from sysmanager.simulation.scenarios import SCENARIOS, Scenario, ends_of, play, settle

ALL = {scenario.name: scenario for scenario in (*SCENARIOS, *JOB_SCENARIOS)}


WAITED_ANEW_MS = 60_000


def timed(scenario: Scenario) -> bool:
    """Whether its end hangs on what happens within seconds of one another, so that a restart of 3 s may well lead to another sound end."""
    return len(scenario.deeds) + len(scenario.wishes) > 1


def tried(name: str) -> tuple[str, int, list[str]]:
    """One scenario: how many kills, and a sentence for each that ended wrong."""
    scenario = ALL[name]
    undisturbed = play(scenario)
    begin, end = undisturbed.entered_facts, len(undisturbed.coordinator.journal)
    kills = 0
    wrong: list[str] = []
    points: list[tuple[int | None, tuple[int, KillPoint] | None]] = [(length, None) for length in range(begin + 1, end + 1)]
    points += [(None, (transaction, point)) for transaction in range(end - begin) for point in KillPoint]
    for length, kill_at in points:
        at = f"at length {length}" if kill_at is None else f"{kill_at[1]} of transaction {kill_at[0]}"
        kills += 1
        # Before its first fact nothing of it is durable: a person asks again, and who is back before the grace is over is not blamed.
        bound = not timed(scenario) and kill_at != (0, KillPoint.BEFORE_APPEND)
        try:
            world = play(scenario, kill_at_length=length, kill_at=kill_at)
            if bound and ends_of(world) != scenario.ends:
                # What is waited for, as a recorder that is to be stable, is waited for anew after a restart.
                world.run(WAITED_ANEW_MS)
            if bound and ends_of(world) != scenario.ends:
                wrong.append(f"{at}: it ends as {ends_of(world)}")
            settle(world)
        except Broken as broken:
            wrong.append(f"{at}: {broken}")
    return name, kills, wrong


def main(argv: list[str]) -> int:
    """Prints a line for each scenario; 1 if any of them ended wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.crash_points", description=__doc__)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("words", nargs="?", default="")
    given = parser.parse_args(argv)
    names = [name for name in ALL if given.words in name]
    failed = 0
    with ProcessPoolExecutor(max_workers=given.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for name, kills, wrong in pool.map(tried, names):
            failed += bool(wrong)
            sys.stdout.write(
                f"{'WRONG' if wrong else 'sound':6} {kills:4} kills  {name}\n" + "".join(f"         {line}\n" for line in wrong[:5])
            )
            sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
