"""Runs the tests against a mutant: those that execute its line first, then the others, then a part of the simulation."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import coverage

from tests.mutation.drawing import Mutant, Place
from tests.mutation.inside import JOB, Job

UNIT = "tests/unit"
WITHOUT_TIME = "tests/unit/test_coordinator_"
"""Tests with a virtual clock, which fail for no other reason than that something is wrong."""
OWN_TESTS = "tests/unit/test_mutation_command.py"
"""They say nothing of the coordinator, and start Python again and again."""
SIMULATION = ("tests/simulation/test_scenarios.py", "tests/mutation/few_seeds.py")
# A mutant that takes this many times what the tests take, and this much more, does not end: by processor time, because the
# machine may be busy. What sleeps for ever, and all of it on a system that cannot limit that, ends by the clock on the wall.
SLOWER = 4
ADDED_S = 15
SIMULATION_S = 15
WALL_SHARE = 20
OUT_OF_TIME = -24
"""What a process ends with that used up its processor time (SIGXCPU)."""
PLUGINS = ("pytest_asyncio.plugin", "_hypothesis_pytestplugin")
OBSERVED = ("-p", "tests.mutation.inside")
SETTINGS = """
[pytest]
addopts = --strict-markers --import-mode=importlib
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
markers = process: starts real processes
"""
PASSED, FAILED = 0, (1, 2)
# Most mutants fall to the first few tests; to collect no more files than these are in saves more than one start of Python costs.
FIRST_TESTS = 40
FIRST_FILES = 3


class MutationRunError(Exception):
    """The tests could not be run, which says nothing about a mutant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What one run of the unit tests tells: for each module and line the tests that execute it, and the seconds of each test."""

    lines: Mapping[str, Mapping[int, tuple[str, ...]]]
    seconds: Mapping[str, float]

    def covering(self, place: Place) -> tuple[str, ...]:
        """Tests that execute the statement of the place. What is evaluated at import is executed before any test."""
        lines = self.lines.get(place.module, {})
        return tuple({test for line in range(place.first_line, place.line + 1) for test in lines.get(line, ())})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """stage: in which it was killed: covering, others or simulation; empty if it survived. by: the test that failed, or how it ended."""

    killed: bool
    stage: str = ""
    by: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Runner:
    """Runs mutants of the tree below root, one after the other. Tests that killed one are tried first on the next."""

    root: Path
    known: Known
    folder: Path
    killers: Counter[tuple[str, str]] = field(default_factory=Counter)
    _texts: dict[str, frozenset[str]] = field(default_factory=dict)

    def in_order(self, tests: Iterable[str], place: Place) -> tuple[str, ...]:
        """Those that killed others of the module, then those in a file named like it, then the quickest.

        What is evaluated at import is much the same in all modules: there the tests that killed the like of it go first,
        then those in files that name what the line defines.
        """
        stem, like = Path(place.module).stem, _like(place)
        defined = re.search(r"(?:class |def )?(\w+)", place.text) if place.imported else None

        def far(test: str) -> tuple[bool, bool, bool]:
            file = file_of(test)
            return defined is not None and defined[1] not in self._words(file), stem not in file, not file.startswith(WITHOUT_TIME)

        def rank(test: str) -> tuple[int, tuple[bool, bool, bool], float, str]:
            return (-self.killers[like, test], far(test), self.known.seconds.get(test, 0.0), test)

        return tuple(sorted(tests, key=rank))

    def _words(self, file: str) -> frozenset[str]:
        if file not in self._texts:
            path = self.root / file
            self._texts[file] = frozenset(re.findall(r"\w+", path.read_text("utf-8"))) if path.exists() else frozenset()
        return self._texts[file]

    def run(self, mutant: Mutant) -> Verdict:
        """Raises MutationRunError if the tests could not be run."""
        began = time.monotonic()
        stage, by = self._killed_by(mutant)
        return Verdict(killed=bool(stage), stage=stage, by=by, seconds=round(time.monotonic() - began, 2))

    def _killed_by(self, mutant: Mutant) -> tuple[str, str]:
        place = mutant.place
        covering = self.known.covering(place)
        # A test that does not execute the line cannot tell the mutant from the original, unless it is evaluated at import.
        could_tell = self.known.seconds if place.imported or not covering else covering
        for tests in first_and_rest(self.in_order(could_tell, place)):
            by = self._killer(mutant, tests)
            if by:
                self.killers[_like(place), by] += 1
                return "covering" if by in covering else "others", by
        by = self._fails(mutant, (), SIMULATION)
        return ("simulation", by) if by else ("", "")

    def _killer(self, mutant: Mutant, tests: tuple[str, ...]) -> str:
        """The test that fails, or how else the run ended; empty if all pass. Failures that are not the mutant's are left out."""
        left = tests
        while left:
            by = self._fails(mutant, left, _files(left))
            if by not in left or self._is_true(mutant, by):
                return by
            left = tuple(test for test in left if test != by)
        return ""

    def _is_true(self, mutant: Mutant, test: str) -> bool:
        """Whether the test fails because of the mutant. One that waits for real time may fail because the machine is busy."""
        if test.startswith(WITHOUT_TIME) and test in self.known.covering(mutant.place):
            return True
        unchanged = Job(order=(test,), outcome=str(self.folder / "outcome.json"))
        again = self._fails(mutant, (test,), _files((test,)))
        return bool(again) and not run_tests(self.root, unchanged, _files((test,)), self.folder, limit_s=ADDED_S)

    def _fails(self, mutant: Mutant, tests: tuple[str, ...], files: Iterable[str]) -> str:
        """Which test fails, or how else the run ended; empty if all passed."""
        usual_s = sum(self.known.seconds.get(test, 0.0) for test in tests) if tests else SIMULATION_S
        job = Job(module=dotted(mutant.place.module), source=mutant.source, order=tests, outcome=str(self.folder / "outcome.json"))
        return run_tests(self.root, job, files, self.folder, limit_s=ADDED_S + SLOWER * usual_s)


def file_of(test: str) -> str:
    return test.split("::")[0]


def _files(tests: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({file_of(test) for test in tests}))


def first_and_rest(tests: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The first tests, of a few files, and all others."""
    files = list(dict.fromkeys(file_of(test) for test in tests))[:FIRST_FILES]
    first = [test for test in tests if file_of(test) in files][:FIRST_TESTS]
    known = set(first)
    return tuple(first), tuple(test for test in tests if test not in known)


def _like(place: Place) -> str:
    return place.operator if place.imported else place.module


def dotted(module: str) -> str:
    return module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def run_tests(root: Path, job: Job, files: Iterable[str], folder: Path, *, limit_s: float) -> str:
    """Runs the tests of the job until one fails: its name, how the run ended otherwise, or empty if all passed.

    limit_s: processor time that it may take.
    """
    replace(job, cpu_s=math.ceil(limit_s)).written(folder / "job.json")
    outcome = Path(job.outcome)
    outcome.unlink(missing_ok=True)
    arguments = ("-x", *OBSERVED, *files)
    try:
        done = _pytest(root, arguments, folder, {JOB: str(folder / "job.json")}, WALL_SHARE * limit_s)
    except subprocess.TimeoutExpired:
        return "timeout"
    if done.returncode == OUT_OF_TIME:
        return "timeout"
    if done.returncode == PASSED:
        return ""
    if done.returncode in FAILED and outcome.exists():
        failed = json.loads(outcome.read_text("utf-8"))["failed"]
        if failed:
            return str(failed[0])
    if done.returncode < 0 or "MemoryError" in done.stdout + done.stderr:
        return f"crash ({done.returncode})"
    raise MutationRunError(f"pytest ended with {done.returncode}:\n{done.stdout[-2_000:]}{done.stderr[-2_000:]}")


def _pytest(
    root: Path, arguments: Iterable[str], folder: Path, environment: Mapping[str, str], limit_s: float
) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(root), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]).rstrip(os.pathsep)
    # Only the plug-ins that the tests need: to load all of them takes longer than most mutants live.
    settings = folder / "pytest.ini"
    settings.write_text(SETTINGS, "utf-8")
    common = ("-q", "-c", str(settings), f"--rootdir={root}", "-m", "not process", "-p", "no:cacheprovider", "--tb=short")
    plugins = tuple(word for plugin in PLUGINS for word in ("-p", plugin))
    return subprocess.run(
        [sys.executable, "-m", "pytest", *common, *plugins, "--hypothesis-seed=0", *arguments],
        cwd=root,
        env={
            **os.environ,
            "PYTHONPATH": path,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "QT_QPA_PLATFORM": "offscreen",
            "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
            **environment,
        },
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=limit_s,
        check=False,
    )


def known_of(root: Path, package: str, tree: str, kept: Path) -> Known:
    """What the tests of this state of the tree execute: from the file, where they were run before, else by running them."""
    if kept.exists():
        told = json.loads(kept.read_text("utf-8"))
        if (told["tree"], told["package"]) == (tree, package):
            tests = told["tests"]
            lines = {
                module: {int(line): tuple(tests[number] for number in numbers) for line, numbers in by_line.items()}
                for module, by_line in told["lines"].items()
            }
            return Known(lines=lines, seconds=told["seconds"])
    sys.stdout.write("Running the unit tests once to see which lines they execute.\n")
    known = learn(root, package)
    tests = sorted(known.seconds)
    place = {test: number for number, test in enumerate(tests)}
    by_module = {
        module: {line: [place[test] for test in executing] for line, executing in by_line.items()}
        for module, by_line in known.lines.items()
    }
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(
        json.dumps({"tree": tree, "package": package, "tests": tests, "lines": by_module, "seconds": dict(known.seconds)}), "utf-8"
    )
    return known


def learn(root: Path, package: str) -> Known:
    """Runs all unit tests once, unchanged. Raises MutationRunError if one of them fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job = Job(outcome=str(folder / "outcome.json"))
        job.written(folder / "job.json")
        data = folder / "coverage"
        arguments = (
            "-p",
            "pytest_cov.plugin",
            f"--cov={dotted(package)}",
            "--cov-context=test",
            "--cov-report=",
            *OBSERVED,
            f"--ignore={OWN_TESTS}",
            UNIT,
        )
        done = _pytest(root, arguments, folder, {JOB: str(folder / "job.json"), "COVERAGE_FILE": str(data)}, 3_600)
        if done.returncode != PASSED:
            raise MutationRunError(f"The unit tests fail without a mutant:\n{done.stdout[-3_000:]}{done.stderr[-2_000:]}")
        return Known(lines=_lines(root, package, data), seconds=json.loads((folder / "outcome.json").read_text("utf-8"))["seconds"])


def _lines(root: Path, package: str, data: Path) -> dict[str, dict[int, tuple[str, ...]]]:
    measured = coverage.CoverageData(str(data))
    measured.read()
    found: dict[str, dict[int, tuple[str, ...]]] = {}
    for file in measured.measured_files():
        module = Path(file).relative_to(root).as_posix()
        found[module] = {
            line: tuple(sorted({context.rsplit("|", 1)[0] for context in contexts if context}))
            for line, contexts in measured.contexts_by_lineno(file).items()
            if line > 0
        }
    return found
