"""Values of any message type, for hypothesis."""

from __future__ import annotations

from typing import Annotated, Any, NewType, get_args, get_origin, get_type_hints

import msgspec
from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
NUMBERS = st.integers(-(2**63), 2**63 - 1)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a type as messages and documents use it: structs, unions, tuples, dicts, enumerations, texts and numbers within bounds."""
    if isinstance(kind, NewType):
        return values(kind.__supertype__)
    if get_origin(kind) is Annotated:
        inner, *metas = get_args(kind)
        meta = next(found for found in metas if isinstance(found, msgspec.Meta))
        return st.integers(meta.ge, meta.le) if meta.ge is not None else values(inner)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return st.builds(kind, **{name: values(hint) for name, hint in get_type_hints(kind, include_extras=True).items()})
    if get_origin(kind) is tuple:
        parts = get_args(kind)
        if parts[-1] is not Ellipsis:
            return st.tuples(*(values(part) for part in parts))
        return st.lists(values(parts[0]), max_size=2).map(tuple)
    if get_origin(kind) is dict:
        key, value = get_args(kind)
        return st.dictionaries(values(key), values(value), max_size=2)
    if get_args(kind):
        return st.one_of([values(arm) for arm in get_args(kind)])
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXT,
        int: NUMBERS,
        bool: st.booleans(),
        bytes: st.binary(max_size=20),
        type(None): st.none(),
    }
    return simple[kind] if kind in simple else st.sampled_from(list(kind))
