"""What became of each mutant: kept in a file between runs, judged, and told as tables."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sysmanager.durable import write_durably
from tests.mutation.drawing import Mutant
from tests.mutation.running import Verdict

LEAST_KILLED = 0.85
FAMILIES = (
    (re.compile(r"ReplaceComparisonOperator_.*"), "comparison"),
    (re.compile(r"ReplaceBinaryOperator_.*"), "arithmetic"),
    (re.compile(r"ReplaceUnaryOperator_.*"), "unary operator"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    module: str
    line: int
    operator: str
    before: str
    after: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A mutant that may survive, and why. It is known by its text, so that it is found again when lines move."""

    module: str
    before: str
    after: str
    why: str


def result_of(mutant: Mutant, verdict: Verdict) -> Result:
    place = mutant.place
    return Result(module=place.module, line=place.line, operator=place.operator, before=mutant.before, after=mutant.after, verdict=verdict)


def state_of_tree(root: Path) -> str:
    """Differs when any source or test differs."""
    digest = hashlib.sha256()
    for folder in ("sysmanager", "tests"):
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def read_results(path: Path, tree: str, *, keep_killed: bool = False) -> dict[str, Result]:
    """Those of this state of the tree; of another one those that were killed, if they are to be kept."""
    if not path.exists():
        return {}
    told = json.loads(path.read_text("utf-8"))
    results = {key: Result(**{**row, "verdict": Verdict(**row["verdict"])}) for key, row in told["results"].items()}
    if told["tree"] == tree:
        return results
    return {key: result for key, result in results.items() if result.verdict.killed} if keep_killed else {}


def write_results(path: Path, tree: str, results: Mapping[str, Result]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {key: asdict(result) for key, result in results.items()}
    write_durably(path, json.dumps({"tree": tree, "results": rows}, indent=1, ensure_ascii=False).encode())


def read_explained(path: Path) -> tuple[Explained, ...]:
    return tuple(Explained(**entry) for entry in tomllib.loads(path.read_text("utf-8")).get("survivor", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """unexplained: survivors that are not in the list. needless: explanations of mutants that were run and did not survive."""

    ran: int
    killed: int
    unexplained: tuple[Result, ...]
    needless: tuple[Explained, ...]

    @property
    def share(self) -> float:
        return self.killed / self.ran if self.ran else 0.0

    @property
    def good(self) -> bool:
        return self.share >= LEAST_KILLED and not self.unexplained


def judge(results: Sequence[Result], explained: Sequence[Explained]) -> Judgement:
    survivors = [result for result in results if not result.verdict.killed]
    listed = {(entry.module, entry.before, entry.after) for entry in explained}
    ran = {(result.module, result.before, result.after) for result in results}
    alive = {(result.module, result.before, result.after) for result in survivors}
    return Judgement(
        ran=len(results),
        killed=len(results) - len(survivors),
        unexplained=tuple(result for result in survivors if (result.module, result.before, result.after) not in listed),
        needless=tuple(entry for entry in explained if (entry.module, entry.before, entry.after) in ran - alive),
    )


def family(operator: str) -> str:
    """Operators of one kind under one name; the others keep theirs, in words."""
    for pattern, name in FAMILIES:
        if pattern.fullmatch(operator):
            return name
    return " ".join(re.findall(r"[A-Z][a-z]+", operator)).lower()


def table(title: str, named: Iterable[tuple[str, Result]]) -> list[str]:
    """A line a name, those with most survivors first."""
    rows: dict[str, list[Result]] = {}
    for name, result in named:
        rows.setdefault(name, []).append(result)
    lines = [f"{title:36} mutants  killed  timeout  survived"]
    for name, results in sorted(rows.items(), key=lambda row: (-_survived(row[1]), row[0])):
        timeouts = sum(result.verdict.by == "timeout" for result in results)
        survived = _survived(results)
        lines.append(f"{name:36} {len(results):7} {len(results) - survived - timeouts:7} {timeouts:8} {survived:9}")
    return lines


def _survived(results: Sequence[Result]) -> int:
    return sum(not result.verdict.killed for result in results)


def summary(results: Sequence[Result], judgement: Judgement, package: str) -> list[str]:
    """Everything that the command prints in the end."""
    stages = {stage: sum(result.verdict.stage == stage for result in results) for stage in ("covering", "others", "simulation")}
    seconds = sum(result.verdict.seconds for result in results)
    lines = [
        *table("operator", ((family(result.operator), result) for result in results)),
        "",
        *table("module", ((result.module.removeprefix(package).lstrip("/"), result) for result in results)),
        "",
        f"{judgement.ran} mutants, {judgement.killed} killed ({judgement.share:.1%}; at least {LEAST_KILLED:.0%} is asked for): "
        f"{stages['covering']} by tests that execute the line, {stages['others']} by other unit tests, "
        f"{stages['simulation']} by the simulation.",
        f"{seconds:.0f} s in all, {seconds / max(1, judgement.ran):.1f} s for one.",
    ]
    if judgement.unexplained:
        lines += ["", f"{len(judgement.unexplained)} survived and are not in the list of survivors:"]
        lines += [shown(result) for result in judgement.unexplained]
    if judgement.needless:
        lines += ["", "In the list of survivors, but killed:"]
        lines += [f"  {entry.module}: {entry.before}  →  {entry.after}" for entry in judgement.needless]
    return lines


def shown(result: Result) -> str:
    return f"  {result.module}:{result.line}  {result.operator}\n    - {result.before}\n    + {result.after}"
