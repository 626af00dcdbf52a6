from typing import Any


def add(chosen: Any) -> None:
    pass
