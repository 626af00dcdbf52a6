"""What must not be in the pure parts, and what must be nowhere (DESIGN, STYLE)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "sysmanager"
PURE = ("domain", "protocol", "coordinator", "wire.py", "recorder/machine")

IMPURE_MODULES = {
    "aiohttp",
    "asyncio",
    "av",
    "ctypes",
    "fcntl",
    "http",
    "logging",
    "msvcrt",
    "multiprocessing",
    "nats",
    "numpy",
    "os",
    "pathlib",
    "platform",
    "psutil",
    "random",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "structlog",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
    "PySide6",
}
"""Modules that do I/O, read a clock, draw random numbers, wait, or know the machine."""

IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "id", "hash", "globals", "breakpoint"}
"""Built-ins that do so, or whose answer differs from run to run."""

IMPURE_ATTRIBUTES = {"now", "utcnow", "today"}
"""Of `datetime` and `date`. A field `now` of ours is read, not called."""

LINES_LIMIT = 500
FORBIDDEN = re.compile(r"\b(TODO|FIXME|XXX|HACK|for now)\b")


def files_of(part: str) -> list[Path]:
    path = ROOT / part
    return [path] if path.suffix else sorted(path.rglob("*.py"))


def impurities(tree: ast.AST) -> Iterator[str]:
    """What in a module does I/O, reads a clock or draws random numbers."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (f"import {name.name}" for name in names if name.name.split(".")[0] in IMPURE_MODULES)
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in IMPURE_MODULES:
                yield f"from {module} import"
            case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
                yield f"{name}()"
            case ast.Call(func=ast.Attribute(attr=name)) if name in IMPURE_ATTRIBUTES:
                yield f".{name}()"
            case ast.AsyncFunctionDef(name=name):
                yield f"async def {name}"
            case ast.Global(names=names):
                yield f"global {', '.join(names)}"


def source_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


PURE_FILES = [path for part in PURE for path in files_of(part)]
ALL_FILES = sorted(path for path in ROOT.rglob("*.py"))


def test_every_pure_part_is_there() -> None:
    assert all(files_of(part) for part in PURE)


@pytest.mark.parametrize("path", PURE_FILES, ids=named)
def test_a_pure_file_does_no_io_reads_no_clock_and_draws_nothing(path: Path) -> None:
    assert list(impurities(ast.parse(source_of(path)))) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import time", "import time"),
        ("import os.path", "import os.path"),
        ("from random import random", "from random import"),
        ("open('x')", "open()"),
        ("datetime.now()", ".now()"),
        ("async def f(): ...", "async def f"),
        ("def f():\n    global x", "global x"),
    ],
)
def test_what_is_not_pure_is_found(code: str, found: str) -> None:
    assert list(impurities(ast.parse(code))) == [found]


def test_what_is_pure_is_left_alone() -> None:
    assert list(impurities(ast.parse("from sysmanager.domain import ids\nimport msgspec\nx = case.now\n"))) == []


@pytest.mark.parametrize("path", ALL_FILES, ids=named)
def test_a_file_has_one_subject_and_an_end(path: Path) -> None:
    lines = source_of(path).splitlines()
    assert len(lines) <= LINES_LIMIT, f"{len(lines)} lines: give a subject of it a file of its own"
    assert [number for number, line in enumerate(lines, 1) if FORBIDDEN.search(line)] == []


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.md")), ids=named)
def test_documents_promise_nothing(path: Path) -> None:
    assert FORBIDDEN.findall(source_of(path)) == []
