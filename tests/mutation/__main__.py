"""Changes the coordinator in 300 small ways and shows which of them the tests find out: `python -m tests.mutation`.

Each mutant meets the unit tests that execute its line, the other unit tests where these could tell, the named scenarios of
the simulation and a few seeds; it is killed as soon as one fails. What survives has to stand in survivors.toml with the
reason. What was found is kept between runs: a run that was ended goes on where it was.

Exit status 1 if fewer than 85 % were killed, or if one survived that is not in the list.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.mutation.drawing import Mutant, draw
from tests.mutation.results import Result, judge, read_explained, read_results, result_of, state_of_tree, summary, write_results
from tests.mutation.running import MutationRunError, Runner, known_of

ROOT = Path(__file__).parents[2]
SURVIVORS = Path(__file__).with_name("survivors.toml")
PACKAGE = "sysmanager/coordinator"
COUNT = 300
SEED = 20261127


def span(text: str) -> range:
    """`12`, or `1..50`. Raises ArgumentTypeError."""
    first, dots, last = text.partition("..")
    last = last if dots else first
    if not first.isdecimal() or not last.isdecimal() or not 1 <= int(first) <= int(last):
        raise argparse.ArgumentTypeError(f"{text!r} is no part of the mutants; give a number or, like 1..50, the first and the last")
    return range(int(first), int(last) + 1)


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: nice -n 15 python -m tests.mutation --only 1..50",
    )
    parser.add_argument(
        "--only", type=span, default=None, metavar="A..B", help="only these, counted from 1 in the order in which they are drawn"
    )
    parser.add_argument("--count", type=int, default=COUNT, help="how many are drawn (%(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="draws others (%(default)s)")
    parser.add_argument("--package", default=PACKAGE, help="what is changed (%(default)s)")
    parser.add_argument("--list", action="store_true", help="show which are drawn, and run nothing")
    parser.add_argument("--keep-killed", action="store_true", help="after an edit of the tree: only those that had survived run again")
    parser.add_argument(
        "--results",
        type=Path,
        default=ROOT / "build" / "mutation.json",
        metavar="FILE",
        help="where results are kept between runs (%(default)s)",
    )
    return parser.parse_args(words)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def run_all(mutants: list[tuple[int, Mutant]], given: argparse.Namespace) -> list[Result]:
    """Runs those that are not in the file of results yet, and keeps each as soon as it is known."""
    tree = state_of_tree(ROOT)
    results = read_results(given.results, tree, keep_killed=given.keep_killed)
    write_results(given.results, tree, results)
    if any(mutant.key not in results for _, mutant in mutants):
        with tempfile.TemporaryDirectory() as folder:
            runner = Runner(ROOT, known_of(ROOT, given.package, tree, given.results.with_suffix(".lines.json")), Path(folder))
            for number, mutant in mutants:
                if mutant.key in results:
                    continue
                verdict = runner.run(mutant)
                results[mutant.key] = result_of(mutant, verdict)
                write_results(given.results, tree, results)
                said = f"killed by {verdict.by}" if verdict.killed else "SURVIVED"
                say(f"{number:4} {verdict.seconds:6.1f} s  {mutant.place.module}:{mutant.place.line}  {said}")
                if not verdict.killed:
                    say(f"    - {mutant.before}\n    + {mutant.after}")
    return [results[mutant.key] for _, mutant in mutants]


def main(words: list[str]) -> int:
    given = arguments(words)
    drawn = list(enumerate(draw(ROOT, given.package, given.count, given.seed), start=1))
    mutants = [one for one in drawn if given.only is None or one[0] in given.only]
    if given.list:
        for number, mutant in mutants:
            place = mutant.place
            say(f"{number:4} {place.module}:{place.line}  {place.operator}\n    - {mutant.before}\n    + {mutant.after}")
        return 0
    try:
        results = run_all(mutants, given)
    except MutationRunError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    judgement = judge(results, read_explained(SURVIVORS))
    say("")
    for line in summary(results, judgement, given.package):
        say(line)
    return 0 if judgement.good else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
