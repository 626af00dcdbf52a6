"""Draws mutants of a package with the operators of Cosmic Ray: which change, at which place, with which seed.

A place is drawn first, then one of the changes at it; otherwise a comparison, for which there are seven, would be drawn
seven times as often as a number. The order in which places are drawn is a hash of their text and not of their line, so
that an edit elsewhere in the file draws the same mutants again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider

NEED_ARGUMENTS = {"VariableReplacer", "VariableInserter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One change that one operator can make, not made yet.

    module: path from the root of the tree, with slashes. occurrence: among all changes of the operator in the module.
    first_line: of the statement that line belongs to. line: from 1. imported: evaluated when the module is imported.
    """

    module: str
    operator: str
    occurrence: int
    first_line: int
    line: int
    column: int
    imported: bool
    text: str
    same_before: int

    def spot(self, seed: int) -> str:
        """The same for all changes at one place, wherever the line stands."""
        return _hash(seed, self.module, self.text, self.same_before, self.column)

    def order(self, seed: int) -> str:
        return _hash(seed, self.spot(seed), self.operator, self.occurrence if self.operator == "NumberReplacer" else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A change, made. before, after: the lines that differ, without their indentation. source: the whole module, changed."""

    place: Place
    before: str
    after: str
    source: str

    @property
    def key(self) -> str:
        """What it is called in results: the same after lines were moved."""
        return _hash(0, self.place.module, self.before, self.after, self.place.same_before, self.place.column)[:16]


def _hash(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def operators() -> dict[str, Operator]:
    provider = OperatorProvider()
    return {name: provider[name]() for name in provider if name not in NEED_ARGUMENTS}


def _ancestors(node: Any) -> Iterator[Any]:
    while node is not None:
        yield node
        node = node.parent


def _is_annotation(node: Any) -> bool:
    """Annotations are not evaluated: a change there is none."""
    for one in _ancestors(node):
        above = one.parent
        if above is None:
            return False
        if above.type == "tfpdef" and one is not above.children[0]:
            return True
        if above.type == "annassign" and one is above.children[1]:
            return True
        if above.type == "funcdef" and one is above.annotation:
            return True
    return False


def _is_mark(node: Any) -> bool:
    """The bare `*` and `/` among parameters look like operators, and reckon nothing."""
    return node.parent is not None and node.parent.type in ("parameters", "lambdef")


def _is_union(node: Any) -> bool:
    """A union of types, or of patterns: an operator other than `|` cannot be evaluated, which tells nothing of the tests."""
    above = node if node.type in ("arith_expr", "expr", "term", "factor") else node.parent
    if above is None or above.type != "expr" or any(op.value != "|" for op in above.children[1::2]):
        return False
    return all(_names_a_type(part.get_code().strip()) for part in above.children[::2])


def _names_a_type(code: str) -> bool:
    last = code.split("[")[0].split("(")[0].rsplit(".", 1)[-1]
    return last == "None" or last[:1].isupper() or last in {"str", "int", "bool", "float", "bytes", "tuple", "dict", "frozenset"}


def _statement_line(node: Any) -> int:
    for one in _ancestors(node):
        if one.parent is None or one.parent.type in ("suite", "file_input"):
            return int(one.start_pos[0])
    return int(node.start_pos[0])


def _is_imported(node: Any, at: tuple[int, int]) -> bool:
    """Whether it is evaluated at import: outside bodies of functions, their defaults and decorators included."""
    for one in _ancestors(node):
        if one.type == "lambdef" and at >= one.children[-1].start_pos:
            return False
        if one.type == "funcdef" and at >= one.children[-1].start_pos:
            return False
    return True


def places_of(module: str, source: str, with_operators: dict[str, Operator]) -> Iterator[Place]:
    """All changes that can be made in a module, in no order that means anything."""
    lines = [line.strip() for line in source.splitlines()]
    nodes = list(ast_nodes(get_ast(source)))
    for name, operator in with_operators.items():
        occurrence = -1
        for node in nodes:
            for (line, column), _ in operator.mutation_positions(node):
                occurrence += 1
                if _is_mark(node) or _is_annotation(node) or (name.startswith("ReplaceBinaryOperator_BitOr") and _is_union(node)):
                    continue
                text = lines[line - 1]
                yield Place(
                    module=module,
                    operator=name,
                    occurrence=occurrence,
                    first_line=_statement_line(node),
                    line=line,
                    column=column - (len(source.splitlines()[line - 1]) - len(source.splitlines()[line - 1].lstrip())),
                    imported=_is_imported(node, (line, column)),
                    text=text,
                    same_before=lines[: line - 1].count(text),
                )


def made(place: Place, source: str, with_operators: dict[str, Operator]) -> Mutant | None:
    """The mutant; None if what comes out is no Python, or the same program."""
    changed = mutate_code(source, with_operators[place.operator], place.occurrence)
    if changed is None or changed == source:
        return None
    try:
        compile(changed, place.module, "exec")
    except (SyntaxError, ValueError):
        return None
    before, after = _difference(source.splitlines(), changed.splitlines())
    return Mutant(place=place, before=before, after=after, source=changed)


def _difference(old: Sequence[str], new: Sequence[str]) -> tuple[str, str]:
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    return _flat(old[start : len(old) - end]), _flat(new[start : len(new) - end])


def _flat(lines: Sequence[str]) -> str:
    """One line, because a table and a list of survivors read better so."""
    return " ".join(" ".join(lines).split())


def draw(root: Path, package: str, count: int, seed: int) -> tuple[Mutant, ...]:
    """`count` mutants of the modules below `package` (a path from root), or fewer if there are not so many places."""
    with_operators = operators()
    sources = {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in sorted((root / package).rglob("*.py"))}
    spots: dict[str, list[Place]] = {}
    for module, source in sources.items():
        for place in places_of(module, source, with_operators):
            spots.setdefault(place.spot(seed), []).append(place)
    drawn: list[Mutant] = []
    for spot in sorted(spots):
        if len(drawn) == count:
            break
        tried = (made(place, sources[place.module], with_operators) for place in sorted(spots[spot], key=lambda one: one.order(seed)))
        mutant = next((one for one in tried if one is not None), None)
        if mutant is not None:
            drawn.append(mutant)
    return tuple(drawn)
