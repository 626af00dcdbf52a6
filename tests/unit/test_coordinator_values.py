"""What is said, decided and written down are values: nobody changes them, and they are told by the names of their fields (STYLE)."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

import sysmanager.coordinator
import sysmanager.domain
import sysmanager.protocol
from sysmanager.coordinator.commands import Command
from sysmanager.coordinator.facts import AnyFact
from sysmanager.coordinator.facts.failover import Withholding
from sysmanager.coordinator.inputs import Input


def modules() -> Iterator[Any]:
    for package in (sysmanager.coordinator, sysmanager.domain, sysmanager.protocol):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield importlib.import_module(found.name)


def kinds(is_one: Any) -> list[Any]:
    own = {kind for module in modules() for kind in vars(module).values() if inspect.isclass(kind) and kind.__module__ == module.__name__}
    found = [kind for kind in own if is_one(kind) and not kind.__name__.startswith("_")]
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


def named(kind: Any) -> str:
    return f"{kind.__module__.removeprefix('sysmanager.')}.{kind.__name__}"


def only_by_name(kind: Any) -> bool:
    return all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in inspect.signature(kind).parameters.values())


FEW = 4
STRUCTS = kinds(lambda kind: issubclass(kind, msgspec.Struct))
DATACLASSES = kinds(dataclasses.is_dataclass)
SAID = [kind for union in (AnyFact, Command, Input) for kind in get_args(union)]


def test_a_struct_is_not_changed() -> None:
    assert [named(kind) for kind in STRUCTS if not kind.__struct_config__.frozen] == []


def test_a_dataclass_is_not_changed_and_has_no_other_attributes() -> None:
    assert [named(kind) for kind in DATACLASSES if not kind.__dataclass_params__.frozen or "__slots__" not in vars(kind)] == []


def test_what_is_said_rows_of_tables_and_all_that_is_long_are_made_by_the_names_of_their_fields() -> None:
    long = [kind for kind in STRUCTS if not kind.__struct_config__.array_like and len(kind.__struct_fields__) > FEW]
    rows = [kind for kind in DATACLASSES if kind.__name__.endswith(("Row", "Ignored"))]
    assert len(rows) >= 4
    assert [named(kind) for kind in (*SAID, *long, *rows) if not only_by_name(kind)] == []


def test_a_fact_with_a_field_that_nobody_knows_is_no_fact() -> None:
    """A journal of a later version is refused, and not read as if the field said nothing."""
    facts = get_args(AnyFact)
    assert [named(kind) for kind in facts if not kind.__struct_config__.forbid_unknown_fields or not kind.__struct_config__.tag] == []


def test_what_an_old_record_does_not_say_is_nothing() -> None:
    """A field that a fact got later has a default, with which journals of before are read: nothing, but for these."""
    fields = [
        (kind.__name__, field.name, field.default)
        for kind in STRUCTS
        if ".facts" in kind.__module__
        for field in msgspec.structs.fields(kind)
    ]
    said = {(kind, name): default for kind, name, default in fields if default is not msgspec.NODEFAULT and default}
    assert said == {
        ("FailoverWithheld", "by"): Withholding.MAINTENANCE,
        ("FailoverFailed", "hold"): True,
        ("RequestRefused", "times"): 1,
    }
