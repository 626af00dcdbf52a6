"""Words on the command line: numbers that do not fit are said in the line that names the argument; commands to be typed."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence


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


def typed(words: Sequence[str], *, windows: bool = sys.platform == "win32") -> str:
    """A command as a person types it, whatever its paths and names hold."""
    return subprocess.list2cmdline(words) if windows else shlex.join(words)


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
