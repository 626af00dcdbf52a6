"""Plants every bug in turn and shows which rule of the simulation found it: `python -m tests.simulation.planted_bugs [NAME ...]`.

Exit status 1 if one of them was not found, or by a rule that is not there for it.
"""

from __future__ import annotations

import sys

import pytest

from tests.simulation.test_planted_bugs import PLANTED, broken_rule


def main(names: list[str]) -> int:
    """names: of bugs; none: all."""
    missed = 0
    for plant, where, rules in PLANTED:
        name = plant.__name__
        if names and name not in names:
            continue
        with pytest.MonkeyPatch.context() as patch:
            plant(patch)
            found = broken_rule(where)
        good = found in rules
        missed += not good
        place = "seeds" if where is None else where if isinstance(where, str) else where.name
        sys.stdout.write(f"{'caught' if good else 'MISSED':7} {name.replace('_', ' '):60} by: {found or 'nothing'}   in: {place}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(PLANTED)} bugs, {missed} missed.\n")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
