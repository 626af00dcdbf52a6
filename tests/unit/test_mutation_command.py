"""The command that changes the coordinator and asks the tests: what it draws, what it runs, how it judges."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
from msgspec import json

from tests.mutation import __main__ as command
from tests.mutation import drawing, results, running
from tests.mutation.drawing import Mutant, Place, draw, made, operators, places_of
from tests.mutation.inside import ChangedModule, Job
from tests.mutation.results import Explained, Result, judge, read_explained, read_results, summary, write_results
from tests.mutation.running import Known, MutationRunError, Runner, Verdict, dotted, first_and_rest, run_tests

ROOT = Path(__file__).parents[2]
SOURCE = '''\
"""A module."""
from __future__ import annotations

LIMIT_MS = 5_000
Both = int | None


def over(value: int | None, *, limit: int = 7) -> bool:
    """Whether it is over."""
    if value is None:
        return False
    return (
        value > limit
    )
'''


def places(source: str = SOURCE) -> list[Place]:
    return list(places_of("p/m.py", source, operators()))


def mutants(source: str = SOURCE) -> list[Mutant]:
    found = operators()
    return [mutant for place in places_of("p/m.py", source, found) if (mutant := made(place, source, found)) is not None]


def package(folder: Path, source: str = SOURCE) -> Path:
    (folder / "p").mkdir()
    (folder / "p" / "__init__.py").write_text("", "utf-8")
    (folder / "p" / "m.py").write_text(source, "utf-8")
    return folder


# ---------------------------------------------------------------- what is drawn


def test_what_is_evaluated_is_changed_and_annotations_and_unions_are_not() -> None:
    changed = {mutant.after for mutant in mutants()}
    assert {"LIMIT_MS = 5001", "LIMIT_MS = 4999", "if value is not None:", "if not value is None:", "return True"} <= changed
    assert "def over(value: int | None, *, limit: int = 8) -> bool:" in changed
    assert "def over(value: int | None, /, limit: int = 7) -> bool:" not in changed
    assert {"value < limit", "value >= limit"} <= changed
    assert {place.line for place in places()} == {4, 8, 10, 11, 13}


def test_a_place_knows_its_statement_and_whether_it_is_evaluated_at_import() -> None:
    by_line = {place.line: place for place in places()}
    assert [line for line, place in by_line.items() if place.imported] == [4, 8]
    assert (by_line[13].first_line, by_line[13].text, by_line[13].column) == (12, "value > limit", 6)


def test_each_is_one_change_of_one_place_and_is_python() -> None:
    for mutant in mutants():
        compile(mutant.source, "m.py", "exec")
        assert mutant.source != SOURCE
        assert SOURCE.replace(" ", "").count(mutant.before.replace(" ", "")) >= 1
        assert mutant.before != mutant.after


def test_what_is_no_python_is_no_mutant() -> None:
    source = "def f(x: object) -> int:\n    match x:\n        case str() | int():\n            return 1\n    return 0\n"
    assert {mutant.before for mutant in mutants(source)} <= {"return 1", "return 0"}


def test_the_same_seed_draws_the_same_and_another_one_others(tmp_path: Path) -> None:
    root = package(tmp_path)
    first = draw(root, "p", 3, 1)
    assert first == draw(root, "p", 3, 1)
    assert len(first) == 3
    assert len({(mutant.place.line, mutant.place.column) for mutant in first}) == 3, "a place is drawn once"
    everything = draw(root, "p", 100, 1)
    assert everything[:3] == first, "more are drawn behind those that fewer are"
    assert {mutant.place.line for mutant in everything} == {4, 8, 10, 11, 13}
    orders = {tuple(mutant.key for mutant in draw(root, "p", 100, seed)) for seed in range(5)}
    assert len(orders) > 1


def test_moved_lines_are_drawn_again_under_the_same_name(tmp_path: Path) -> None:
    root = package(tmp_path)
    before = draw(root, "p", 100, 1)
    (root / "p" / "m.py").write_text(SOURCE.replace('"""A module."""\n', '"""A module."""\n# moved\n\n'), "utf-8")
    after = draw(root, "p", 100, 1)
    assert [mutant.key for mutant in after] == [mutant.key for mutant in before]
    assert [mutant.place.line for mutant in after] == [mutant.place.line + 2 for mutant in before]


# ---------------------------------------------------------------- what is run


def known() -> Known:
    lines = {"p/m.py": {10: ("t/test_m.py::a", "t/test_x.py::b"), 12: ("t/test_x.py::b",), 4: ()}}
    return Known(lines=lines, seconds={"t/test_m.py::a": 0.9, "t/test_x.py::b": 0.1, "t/test_y.py::c": 0.2})


def mutant_at(line: int) -> Mutant:
    return next(mutant for mutant in mutants() if mutant.place.line == line)


def test_tests_that_execute_the_statement_are_those_that_cover_it() -> None:
    assert set(known().covering(mutant_at(10).place)) == {"t/test_m.py::a", "t/test_x.py::b"}
    assert set(known().covering(mutant_at(13).place)) == {"t/test_x.py::b"}
    assert known().covering(mutant_at(11).place) == ()
    assert known().covering(mutant_at(4).place) == ()


def test_the_first_are_those_that_killed_before_then_those_of_the_module_then_the_quickest(tmp_path: Path) -> None:
    runner = Runner(ROOT, known(), tmp_path)
    everything = tuple(known().seconds)
    assert runner.in_order(everything, mutant_at(10).place) == ("t/test_m.py::a", "t/test_x.py::b", "t/test_y.py::c")
    runner.killers["p/m.py", "t/test_y.py::c"] += 1
    assert runner.in_order(everything, mutant_at(10).place)[0] == "t/test_y.py::c"
    assert runner.in_order(everything, mutant_at(4).place)[0] == "t/test_m.py::a", "what runs at import has killers of its own"


def test_of_what_is_evaluated_at_import_the_tests_that_name_it_go_first(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "test_y.py").write_text("from p.m import LIMIT_MS", "utf-8")
    runner = Runner(tmp_path, known(), tmp_path)
    everything = tuple(known().seconds)
    assert runner.in_order(everything, mutant_at(4).place)[0] == "t/test_y.py::c"
    assert runner.in_order(everything, mutant_at(10).place)[0] == "t/test_m.py::a"


def test_the_first_tests_are_few_and_of_few_files() -> None:
    tests = [f"t/test_{number % 5}.py::{number}" for number in range(200)]
    first, rest = first_and_rest(tests)
    assert len(first) == running.FIRST_TESTS
    assert {test.split("::")[0] for test in first} == {"t/test_0.py", "t/test_1.py", "t/test_2.py"}
    assert sorted([*first, *rest]) == sorted(tests)
    assert first_and_rest([]) == ((), ())


class Asked:
    """Stands in for runs of pytest: which tests ran in which order, and which one fails: always without the mutant too, or but once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: str = "", *, always: bool = False, once: bool = False) -> None:
        self.runs: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
        self.limits: list[float] = []
        self._fails = fails
        self._always = always
        self._once = once
        monkeypatch.setattr(running, "run_tests", self._run)

    def _run(self, root: Path, job: Job, files: list[str], folder: Path, *, limit_s: float) -> str:
        self.limits.append(limit_s)
        if not job.module and not self._always:
            return ""
        if job.module:
            self.runs.append((job.order, tuple(files)))
        if self._fails not in (*job.order, *files):
            return ""
        fails, self._fails = self._fails, "" if self._once else self._fails
        return fails


@pytest.mark.parametrize(
    ("line", "fails", "stage", "runs"),
    [
        (10, "t/test_x.py::b", "covering", 2),
        (10, "tests/mutation/few_seeds.py", "simulation", 2),
        (10, "t/test_y.py::c", "", 2),
        (4, "t/test_y.py::c", "others", 2),
        (11, "t/test_y.py::c", "others", 2),
    ],
    ids=["by a test that executes it", "by the simulation", "a test that does not execute it is not asked", "at import", "never executed"],
)
def test_a_mutant_is_killed_by_the_first_that_fails(
    line: int, fails: str, stage: str, runs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked(monkeypatch, fails)
    runner = Runner(ROOT, known(), tmp_path)
    verdict = runner.run(mutant_at(line))
    assert (verdict.killed, verdict.stage) == (bool(stage), stage)
    assert verdict.by == (fails if stage else "")
    assert len(asked.runs) == runs
    assert bool(runner.killers) is (stage in ("covering", "others"))
    assert min(asked.limits) >= running.ADDED_S


@pytest.mark.parametrize("how", [{"always": True}, {"once": True}], ids=["without the mutant as well", "not again"])
def test_a_failure_that_is_not_the_mutants_kills_none(how: dict[str, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked(monkeypatch, "t/test_y.py::c", **how)
    assert not Runner(ROOT, known(), tmp_path).run(mutant_at(4)).killed
    a, b, c = known().seconds
    assert [order for order, _ in asked.runs] == [(a, b, c), (c,), (a, b), ()]


def test_a_test_with_a_virtual_clock_that_executes_the_line_is_believed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    test = "tests/unit/test_coordinator_seen.py::a"
    asked = Asked(monkeypatch, test)
    told = Known(lines={"p/m.py": {10: (test,)}}, seconds={test: 0.1})
    assert Runner(ROOT, told, tmp_path).run(mutant_at(10)).by == test
    assert len(asked.runs) == 1


def test_a_module_is_changed_as_it_is_imported_and_its_file_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = package(tmp_path)
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setattr(sys, "meta_path", [ChangedModule("p.m", SOURCE.replace("5_000", "6_000")), *sys.meta_path])
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    module = importlib.import_module("p.m")
    assert module.LIMIT_MS == 6_000
    assert module.__file__ == str(root / "p" / "m.py")
    assert (root / "p" / "m.py").read_text("utf-8") == SOURCE
    assert not list(root.rglob("m.*.pyc"))


TESTED = """
from p.m import over
def test_right(): assert over(8) and not over(7)
def test_wrong(): assert not over(8)
def test_skipped(): assert False
"""


@pytest.mark.parametrize(
    ("order", "source", "ends"),
    [
        (("test_m.py::test_right",), SOURCE, ""),
        (("test_m.py::test_right", "test_m.py::test_wrong"), SOURCE, "test_m.py::test_wrong"),
        (("test_m.py::test_right",), SOURCE.replace("value > limit", "value >= limit"), "test_m.py::test_right"),
        (("test_m.py::test_right",), SOURCE + "1 / 0\n", "test_m.py"),
        (("test_m.py::test_right",), SOURCE + "while True: pass\n", "timeout"),
    ],
    ids=["passes", "fails", "changed", "fails at import", "does not end"],
)
def test_tests_run_in_a_process_of_their_own(
    order: tuple[str, ...], source: str, ends: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = package(tmp_path)
    (root / "test_m.py").write_text(TESTED, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    job = Job(module="p.m", source=source, order=order, outcome=str(tmp_path / "outcome.json"))
    assert run_tests(root, job, ["test_m.py"], tmp_path, limit_s=2 if ends == "timeout" else 30) == ends


def test_a_run_that_says_nothing_of_the_mutant_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = package(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    job = Job(module="p.m", source=SOURCE, order=("test_none.py::x",), outcome=str(tmp_path / "outcome.json"))
    with pytest.raises(MutationRunError, match="file or directory not found"):
        run_tests(root, job, ["test_none.py"], tmp_path, limit_s=60)


def test_what_tests_execute_is_learnt_once_for_each_state_of_the_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learnt: list[str] = []

    def learn(root: Path, package: str) -> Known:
        learnt.append(package)
        return known()

    monkeypatch.setattr(running, "learn", learn)
    kept = tmp_path / "kept" / "lines.json"
    first = running.known_of(ROOT, "p", "tree", kept)
    assert running.known_of(ROOT, "p", "tree", kept) == first == known()
    assert learnt == ["p"]
    running.known_of(ROOT, "p", "another", kept)
    running.known_of(ROOT, "q", "another", kept)
    assert learnt == ["p", "p", "q"]


def test_the_name_of_a_module() -> None:
    assert dotted("sysmanager/coordinator/seen.py") == "sysmanager.coordinator.seen"
    assert dotted("sysmanager/coordinator/facts/__init__.py") == "sysmanager.coordinator.facts"
    assert dotted("sysmanager/coordinator") == "sysmanager.coordinator"


# ---------------------------------------------------------------- how it is judged


def result(name: str, *, killed: bool, by: str = "a test", operator: str = "NumberReplacer") -> Result:
    verdict = Verdict(killed=killed, stage="covering" if killed else "", by=by if killed else "", seconds=2.0)
    return Result(module=f"p/{name}.py", line=3, operator=operator, before="x = 1", after="x = 2", verdict=verdict)


def explained(name: str) -> Explained:
    return Explained(module=f"p/{name}.py", before="x = 1", after="x = 2", why="nobody reads it")


def test_85_of_100_are_enough_when_the_others_are_explained() -> None:
    killed = [result(f"k{number}", killed=True) for number in range(85)]
    alive = [result(f"s{number}", killed=False) for number in range(15)]
    reasons = [explained(f"s{number}") for number in range(15)]
    assert judge([*killed, *alive], reasons).good
    assert not judge([*killed, *alive], reasons[1:]).good
    assert judge([*killed, *alive], reasons[1:]).unexplained == (alive[0],)
    assert not judge([*killed[1:], *alive], reasons).good
    assert not judge([], ()).good


def test_an_explanation_of_what_is_killed_is_told() -> None:
    judgement = judge([result("a", killed=True)], [explained("a"), explained("not-run")])
    assert judgement.needless == (explained("a"),)
    assert "In the list of survivors, but killed:" in summary([result("a", killed=True)], judgement, "p")


def test_the_tables_count_by_operator_and_by_module() -> None:
    ran = [
        result("a", killed=True, operator="ReplaceComparisonOperator_Is_IsNot"),
        result("a", killed=True, by="timeout", operator="ReplaceComparisonOperator_Eq_Lt"),
        result("b", killed=False),
    ]
    lines = summary(ran, judge(ran, ()), "p")
    assert [line.split() for line in lines if line.startswith(("comparison", "number replacer", "a.py", "b.py"))] == [
        ["number", "replacer", "1", "0", "0", "1"],
        ["comparison", "2", "1", "1", "0"],
        ["b.py", "1", "0", "0", "1"],
        ["a.py", "2", "1", "1", "0"],
    ]
    assert any(line.startswith("3 mutants, 2 killed (66.7%") for line in lines)
    assert "    + x = 2" in "\n".join(lines)


def test_results_are_kept_for_one_state_of_the_tree(tmp_path: Path) -> None:
    path = tmp_path / "build" / "results.json"
    assert read_results(path, "tree") == {}
    kept = {"1": result("a", killed=True), "2": result("b", killed=False)}
    write_results(path, "tree", kept)
    assert read_results(path, "tree") == kept
    assert read_results(path, "another") == {}
    assert read_results(path, "another", keep_killed=True) == {"1": kept["1"]}


def test_the_state_of_the_tree_is_its_sources_and_tests(tmp_path: Path) -> None:
    (tmp_path / "sysmanager").mkdir()
    (tmp_path / "tests").mkdir()
    states = [results.state_of_tree(tmp_path)]
    for path, text in (("sysmanager/a.py", "1"), ("sysmanager/a.py", "2"), ("tests/a.py", "1"), ("README.md", "1")):
        (tmp_path / path).write_text(text, "utf-8")
        states.append(results.state_of_tree(tmp_path))
    assert len(set(states[:4])) == 4
    assert states[4] == states[3]


def test_every_explained_survivor_is_a_line_that_still_stands_there() -> None:
    listed = read_explained(command.SURVIVORS)
    for entry in listed:
        source = (ROOT / entry.module).read_text("utf-8")
        assert entry.before in drawing._flat(source.splitlines()), f"{entry.module} has no {entry.before!r} any more: take it off the list"
        assert entry.before != entry.after
        assert len(entry.why) > 20
    assert len({(entry.module, entry.before, entry.after) for entry in listed}) == len(listed)


# ---------------------------------------------------------------- the command


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of one module, of which 4 mutants are drawn."""
    root = package(tmp_path)
    monkeypatch.setattr(command, "ROOT", root)
    monkeypatch.setattr(command, "known_of", lambda root, package, tree, kept: known())
    survivors = tmp_path / "survivors.toml"
    survivors.write_text("", "utf-8")
    monkeypatch.setattr(command, "SURVIVORS", survivors)
    return root


def words(root: Path, *more: str) -> list[str]:
    return ["--package", "p", "--count", "4", "--results", str(root / "results.json"), *more]


def test_it_goes_on_where_it_was_ended(small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[str] = []

    def run(self: Runner, mutant: Mutant) -> Verdict:
        ran.append(mutant.key)
        return Verdict(killed=True, stage="covering", by="t")

    monkeypatch.setattr(Runner, "run", run)
    assert command.main(words(small, "--only", "1..2")) == 0
    assert command.main(words(small)) == 0
    assert len(ran) == len(set(ran)) == 4
    assert "4 mutants, 4 killed (100.0%" in capsys.readouterr().out
    (small / "tests").mkdir()
    (small / "tests" / "test_new.py").write_text("", "utf-8")
    assert command.main(words(small, "--keep-killed")) == 0
    assert len(ran) == 4
    assert command.main(words(small)) == 0
    assert len(ran) == 4, "what was kept counts for the tree as it is now"


def test_a_survivor_that_nobody_explained_fails_it(
    small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Runner, "run", lambda self, mutant: Verdict(killed=False))
    assert command.main(words(small, "--only", "1")) == 1
    said = capsys.readouterr().out
    assert "1 survived and are not in the list of survivors" in said
    assert "SURVIVED" in said


def test_tests_that_cannot_be_run_are_told(small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(self: Runner, mutant: Mutant) -> Verdict:
        raise MutationRunError("pytest ended with 4: no such file")

    monkeypatch.setattr(Runner, "run", run)
    assert command.main(words(small)) == 2
    assert capsys.readouterr().err == "pytest ended with 4: no such file\n"


def test_the_list_runs_nothing(small: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delattr(Runner, "run")
    assert command.main(words(small, "--list")) == 0
    assert capsys.readouterr().out.count("    + ") == 4
    assert not (small / "results.json").exists()


@pytest.mark.parametrize("text", ["0", "3..2", "a", "1..", "..2", "-1"])
def test_a_part_that_cannot_be_is_refused(text: str, small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words(small, f"--only={text}"))
    assert ended.value.code == 2
    assert "is no part of the mutants" in capsys.readouterr().err


def test_what_a_run_keeps_can_be_read_by_others(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Runner, "run", lambda self, mutant: Verdict(killed=True, stage="covering", by="t"))
    command.main(words(small))
    told = json.decode((small / "results.json").read_bytes())
    assert {row["verdict"]["by"] for row in told["results"].values()} == {"t"}
