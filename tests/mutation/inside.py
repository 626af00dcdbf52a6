"""A plug-in of pytest that runs inside the process of one mutant: it changes one module as it is imported, and puts tests in order.

What to do stands in a file that `JOB` names, as JSON of `Job`. The working tree is not touched. Nothing of Cosmic Ray is
imported here, because that would cost every mutant a tenth of a second.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType

import pytest

JOB = "SYSMANAGER_MUTATION_JOB"
MEMORY_BYTES = 6 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """module: dotted name; empty: nothing is changed. order: of the tests; all others are left out. Empty: all, as they come.

    cpu_s: how much processor time it may take; 0: as much as it likes.
    """

    module: str = ""
    source: str = ""
    order: tuple[str, ...] = ()
    outcome: str
    cpu_s: int = 0

    def written(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), "utf-8")


class ChangedLoader(importlib.machinery.SourceFileLoader):
    """Compiles another text than that of the file, and leaves its byte code alone."""

    def __init__(self, fullname: str, path: str, source: str) -> None:
        super().__init__(fullname, path)
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class ChangedModule(MetaPathFinder):
    """Stands before all other finders for one module."""

    def __init__(self, module: str, source: str) -> None:
        self._module = module
        self._source = source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        if found is None or found.origin is None:
            return None
        loader = ChangedLoader(fullname, found.origin, self._source)
        return importlib.util.spec_from_file_location(
            fullname, found.origin, loader=loader, submodule_search_locations=found.submodule_search_locations
        )


class Observer:
    """Orders the tests, and writes down how long each took and which failed."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if not self._job.order:
            return
        place = {nodeid: number for number, nodeid in enumerate(self._job.order)}
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in place])
        items[:] = sorted((item for item in items if item.nodeid in place), key=lambda item: place[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        Path(self._job.outcome).write_text(json.dumps({"seconds": self.seconds, "failed": self.failed}), "utf-8")


def _limit(cpu_s: int) -> None:
    """A loop without an end may also be one that fills the memory. Its end is told by processor time: the machine may be busy."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        if cpu_s:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 5))


def pytest_configure(config: pytest.Config) -> None:
    if JOB not in os.environ:
        return
    told = json.loads(Path(os.environ[JOB]).read_text("utf-8"))
    job = Job(module=told["module"], source=told["source"], order=tuple(told["order"]), outcome=told["outcome"], cpu_s=told["cpu_s"])
    config.pluginmanager.register(Observer(job), "mutation observer")
    if job.module:
        if job.module in sys.modules:
            raise pytest.UsageError(f"{job.module} was imported before it could be changed.")
        sys.meta_path.insert(0, ChangedModule(job.module, job.source))
        _limit(job.cpu_s)
