"""The command line. Each command is a module with `add` (its arguments) and `run` (what it does, giving the exit status)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from sysmanager.app import commands
from sysmanager.app.errors import said_in_one_sentence

EXIT_NO = 1
"""Ran, and the answer is no."""

EXIT_UNABLE = 2
"""Could not be carried out; one sentence on stderr says why."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with an argument in one line."""

    def error(self, message: str) -> None:  # type: ignore[override] # argparse calls this NoReturn; exit is what ends it
        self.exit(EXIT_UNABLE, f"{self.prog}: {message}; see {self.prog} --help.\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """What a command does not know is said by that command, which argparse would leave to the whole program."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


def parser(arguments: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line; of it what these arguments need. Without any: the whole."""
    top = _Parser(
        prog="sysmanager",
        description="Failover for video recorders. Without a command: the desktop program System Manager with its own coordinator.",
        epilog="example: sysmanager demo",
    )
    modules = commands.modules(arguments[0] if arguments else "")
    for module in modules:
        if hasattr(module, "add_own"):
            module.add_own(top)
    chosen = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=_Parser)
    for module in modules:
        module.add(chosen)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit status: 0 done, 1 ran and the answer is no, 2 could not be carried out."""
    for stream in (sys.stdout, sys.stderr):
        # Windows begins with the code page of the console, which has no arrows and no umlauts of others.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        args = parser(given).parse_args(given)
        status: int = args.run(args)
    except said_in_one_sentence() as error:
        print(f"sysmanager: {error}", file=sys.stderr)
        return EXIT_UNABLE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`sysmanager log | head`): nothing more to say.
        sys.stderr.close()
        return EXIT_NO
    return status


if __name__ == "__main__":
    sys.exit(main())
