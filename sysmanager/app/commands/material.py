"""`sysmanager material`: what footage lies on the disks of a recorder; checking, exporting and locking it."""

from __future__ import annotations

import argparse
import getpass
import json
import time
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sysmanager.app.errors import CommandError

if TYPE_CHECKING:
    from sysmanager.recorder.configuration import RecorderConfiguration
    from sysmanager.recorder.evidence import EvidenceLock

EVER_MS = 253_402_300_799_000


def add(chosen: Any) -> None:
    parser = chosen.add_parser(
        "material",
        help="list, verify, export and lock recorded footage",
        description="Works on the material disks of a recorder, while it records or without it. Times are local, as "
        "2026-11-27T14:05:00, or with an offset, as 2026-11-27T14:05:00+02:00.",
        epilog="example: sysmanager material export gate.mp4 --camera gate --from 2026-11-27T14:00 --until 2026-11-27T14:30 "
        "--config recorder.toml",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, parser_class=type(parser))
    listing = _verb(verbs, "list", "the stretches of footage", _list)
    verifying = _verb(verbs, "verify", "read every piece and compare it with its index; exit status 1 if one is damaged", _verify)
    exporting = _verb(verbs, "export", "join footage of one camera into MP4, without re-encoding", _export)
    exporting.add_argument("file", type=Path, metavar="FILE", help="the MP4 to write; FILE.json beside it says what is in it")
    locking = _verb(verbs, "lock", "lock footage as evidence, so that it is not deleted", _lock)
    locking.add_argument("--why", required=True, metavar="TEXT", help="the reason, for whoever asks later")
    locking.add_argument("--who", default=None, metavar="NAME", help="who locks it; by default the user of this machine")
    unlocking = _verb(verbs, "unlock", "release locked footage", _unlock)
    unlocking.add_argument("lock", metavar="ID", help="the lock, as `material locks` shows it")
    locks = _verb(verbs, "locks", "the evidence locks of a recorder", _locks)
    for each in (listing, verifying, exporting):
        each.add_argument("--disk", type=Path, action="append", default=[], metavar="DIR", help="a material disk's folder; may be repeated")
        each.add_argument(
            "--config",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help="a recorder's configuration, for its disks",
        )
    for each in (locking, unlocking, locks):
        each.add_argument("--config", type=Path, required=True, metavar="FILE", help="the recorder's configuration")
    for each in (listing, verifying):
        each.add_argument("--camera", action="append", default=[], metavar="ID", help="only this camera; may be repeated")
    for each in (exporting, locking):
        each.add_argument("--camera", required=True, metavar="ID", help="the camera")
    for each in (listing, verifying, exporting, locking):
        each.add_argument("--from", dest="from_ms", type=_moment, default=0, metavar="TIME", help="from when on; by default all")
        each.add_argument("--until", dest="until_ms", type=_moment, default=EVER_MS, metavar="TIME", help="until when; by default all")


def _verb(verbs: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)
    return parser


def _moment(text: str) -> int:
    """Wall-clock milliseconds of a local time, or of one with an offset."""
    try:
        return round(datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-11-27T14:05:00") from None


def _configuration(path: Path) -> RecorderConfiguration:
    from sysmanager.recorder.configuration import ConfigurationError, load_configuration

    try:
        return load_configuration(path)
    except ConfigurationError as error:
        raise CommandError(str(error)) from error


def _disks(args: argparse.Namespace) -> list[Path]:
    disks = [*args.disk, *(disk for config in args.config for disk in _configuration(config).disk_paths.values())]
    if not disks:
        raise CommandError("No disk is named; say --config FILE of a recorder, or --disk DIR.")
    missing = next((disk for disk in disks if not disk.is_dir()), None)
    if missing is not None:
        raise CommandError(f"There is no folder {missing}; name the folder of a material disk, or mount it.")
    return list(dict.fromkeys(disks))


def _locks_of(args: argparse.Namespace) -> tuple[EvidenceLock, ...]:
    from sysmanager.recorder.evidence import EvidenceUnusable, load_locks

    try:
        return tuple(lock for config in args.config for lock in load_locks(_configuration(config).data_folder))
    except EvidenceUnusable as error:
        raise CommandError(str(error)) from error


def _list(args: argparse.Namespace) -> int:
    import msgspec

    from sysmanager.recorder.library import pieces, stretches

    found = stretches(pieces(_disks(args), args.camera, args.from_ms, args.until_ms), _locks_of(args))
    if args.json:
        print(json.dumps([msgspec.to_builtins(each) for each in found]))
        return 0
    for each in found:
        marks = f"{f'  {each.why}' if each.why else ''}{'  locked' if each.locked else ''}"
        print(
            f"{each.camera:<16} {_local(each.first_frame_ms)} - {_local(each.last_frame_ms)}  {each.recorder} epoch {each.epoch}  "
            f"{each.segments} pieces, {each.frames} frames, {each.bytes / 1e6:.1f} MB{marks}"
        )
    if not found:
        print("There is no footage.")
    return 0


def _verify(args: argparse.Namespace) -> int:
    import msgspec

    from sysmanager.recorder.library import pieces, unreadable, verify

    sound = damaged = frames = 0
    disks = _disks(args)
    of_span = (args.camera, args.from_ms, args.until_ms)
    found = (verify(piece) for piece in pieces(disks, *of_span))
    for verified in chain(found, unreadable(disks, *of_span, time.time_ns() // 1_000_000)):
        frames += verified.frames
        sound, damaged = sound + (not verified.problem), damaged + bool(verified.problem)
        if args.json:
            print(json.dumps({**msgspec.to_builtins(verified, enc_hook=str), "path": str(verified.path)}))
        elif verified.problem:
            print(f"{verified.path}: {verified.problem}")
    if not args.json:
        print(f"{sound} pieces with {frames} frames are sound, {damaged} are damaged.")
    return 1 if damaged else 0


def _export(args: argparse.Namespace) -> int:
    import msgspec

    from sysmanager.durable import write_durably
    from sysmanager.recorder.export import ExportFailed, export
    from sysmanager.recorder.library import pieces

    try:
        done = export(list(pieces(_disks(args), [args.camera], args.from_ms, args.until_ms)), args.file, args.from_ms, args.until_ms)
        for each in done:
            about = {**msgspec.to_builtins(each, enc_hook=str), "file": each.file.name, "frames": each.frames}
            write_durably(each.file.with_name(each.file.name + ".json"), json.dumps(about, indent=2).encode("utf-8") + b"\n")
            if args.json:
                print(json.dumps(about))
                continue
            print(f"{each.file}: {each.frames} frames, SHA-256 {each.sha256}")
            for run in each.runs:
                span = f"{_local(run.first_frame_ms)} - {_local(run.last_frame_ms)}"
                print(f"  {span}  {run.recorder} epoch {run.epoch}, {run.frames} frames ({run.seam})")
    except ExportFailed as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"The export can't be written to {args.file} ({error.strerror or error}).") from error
    return 0


def _lock(args: argparse.Namespace) -> int:
    import msgspec

    from sysmanager.domain.ids import CameraId, is_identifier
    from sysmanager.journal.lock import DataFolderLock
    from sysmanager.recorder.evidence import EvidenceUnusable, add_lock

    folder = _configuration(args.config).data_folder
    if not is_identifier(args.camera):
        raise CommandError("The id of a camera has letters, digits, - and _ only; correct --camera.")
    try:
        with DataFolderLock(folder / "evidence"):
            lock = add_lock(
                folder,
                camera=CameraId(args.camera),
                from_ms=args.from_ms,
                until_ms=args.until_ms,
                who=args.who or getpass.getuser(),
                why=args.why,
                now_ms=time.time_ns() // 1_000_000,
            )
    except EvidenceUnusable as error:
        raise CommandError(str(error)) from error
    print(json.dumps(msgspec.to_builtins(lock)) if args.json else f"{lock.id}: footage of {lock.camera} is locked.")
    return 0


def _unlock(args: argparse.Namespace) -> int:
    import msgspec

    from sysmanager.journal.lock import DataFolderLock
    from sysmanager.recorder.evidence import EvidenceUnusable, remove_lock

    folder = _configuration(args.config).data_folder
    try:
        with DataFolderLock(folder / "evidence"):
            lock = remove_lock(folder, args.lock)
    except EvidenceUnusable as error:
        raise CommandError(str(error)) from error
    print(json.dumps(msgspec.to_builtins(lock)) if args.json else f"{lock.id}: footage of {lock.camera} is released.")
    return 0


def _locks(args: argparse.Namespace) -> int:
    import msgspec

    args.config = [args.config]
    locks = _locks_of(args)
    if args.json:
        print(json.dumps([msgspec.to_builtins(lock) for lock in locks]))
        return 0
    for lock in locks:
        print(f"{lock.id}  {lock.camera:<16} {_local(lock.from_ms)} - {_local(lock.until_ms)}  {lock.who}: {lock.why}")
    if not locks:
        print("No footage is locked.")
    return 0


def _local(at_ms: int) -> str:
    """Local time to the millisecond; open ends as words."""
    if at_ms <= 0:
        return "the beginning"
    if at_ms >= EVER_MS:
        return "for ever"
    return datetime.fromtimestamp(at_ms / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
