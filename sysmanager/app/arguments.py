"""Numbers on the command line: what does not fit is said in the line that names the argument."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def whole(least: int, most: int) -> Callable[[str], int]:
    """The type of an argument that is a whole number from `least` to `most`."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")
        return number

    return parse


def seconds(most: int) -> Callable[[str], float]:
    """The type of an argument that is a time from 0 to `most` seconds."""

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if not 0 <= number <= most:  # also false for "nan"
            raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {most}")
        return number

    return parse
