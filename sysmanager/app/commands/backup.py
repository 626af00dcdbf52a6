"""`backup`, `restore` and `reconcile`: to keep a system, to have it again, and to confirm what differs after that (SPEC 7)."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from sysmanager import api
from sysmanager.app import paths
from sysmanager.app.arguments import typed
from sysmanager.app.commands.asking import with_client
from sysmanager.app.errors import CommandError
from sysmanager.app.target import add_target

PASSPHRASE_LIMIT_BYTES = 8192


def add(chosen: Any) -> None:
    backup = chosen.add_parser(
        "backup",
        help="save a system backup into a file",
        description="Saves system data, journal and recorder documents into one file, while the coordinator goes on.",
        epilog="example: sysmanager backup /media/usb/harbour.smbackup --passphrase-file passphrase.txt",
    )
    add_target(backup)
    backup.add_argument("file", type=Path, metavar="FILE", help="where to save it; must not exist")
    backup.add_argument(
        "--passphrase-file",
        type=Path,
        metavar="F",
        help="its first line opens the site key in this backup and in later automatic ones; by default the last passphrase goes on to hold",
    )
    backup.add_argument("--json", action="store_true", help="print JSON")
    backup.set_defaults(run=lambda args: asyncio.run(with_client(args, _backup)))
    restore = chosen.add_parser(
        "restore",
        help="restore a system backup onto an empty data folder",
        description="Restores a backup onto an empty data folder. The coordinator that starts there asks the recorders what has changed "
        "since, and holds automatic failover until a person has confirmed it.",
        epilog="example: sysmanager restore harbour.smbackup --data /var/lib/sysmanager --passphrase-file passphrase.txt",
    )
    restore.add_argument("file", type=Path, metavar="FILE", help="the backup")
    restore.add_argument("--data", type=Path, required=True, metavar="DIR", help="empty data folder of the new coordinator")
    restore.add_argument("--passphrase-file", type=Path, metavar="F", help="its first line is the passphrase of the backup")
    restore.add_argument("--site-key", type=Path, metavar="FILE", help="where the site key is to lie, or lies; as for the coordinator")
    restore.add_argument("--json", action="store_true", help="print JSON")
    restore.set_defaults(run=_restore)
    reconcile = chosen.add_parser(
        "reconcile",
        help="what differs after a restore, and confirm it",
        description="Lists what recorders report that system data does not say, after a restore or a damaged journal.",
        epilog="example: sysmanager reconcile --confirm",
    )
    add_target(reconcile)
    reconcile.add_argument("--confirm", action="store_true", help="accept what differs; automatic failover goes on")
    reconcile.add_argument("--json", action="store_true", help="print JSON")
    reconcile.set_defaults(run=lambda args: asyncio.run(with_client(args, _reconcile)))


async def _backup(client: api.Client, args: argparse.Namespace) -> int:
    passphrase = _passphrase(args.passphrase_file)
    try:
        saved = await api.save_backup(client, args.file, passphrase)
    except api.BackupRefused as error:
        print(str(error), file=sys.stderr)
        return 1
    if args.json:
        _json(saved)
        return 0
    print(f"Saved {saved.path}: {saved.position} facts and {saved.documents} documents, {saved.size_bytes} bytes.")
    if saved.missing:
        print(f"{saved.missing} documents were not in the cache; their recorders give them again after a restore.")
    if not saved.sealed:
        print("It holds no site key: keep the file of that key as well, or back up with --passphrase-file.")
    return 0


def _restore(args: argparse.Namespace) -> int:
    from sysmanager.backup.format import BackupUnusable
    from sysmanager.backup.reader import opened
    from sysmanager.backup.recovery import PassphraseWrong
    from sysmanager.backup.restore import restore

    site_key = args.site_key or paths.site_key_file(args.data)
    try:
        with opened(args.file) as backup:
            made = datetime.fromtimestamp(backup.manifest.made_ms / 1000).astimezone()
        restored = restore(
            args.file,
            args.data,
            journal=args.data / paths.JOURNAL,
            site_key=site_key,
            passphrase=_passphrase(args.passphrase_file),
            when=made.strftime("%Y-%m-%d %H:%M:%S"),
        )
    except (BackupUnusable, PassphraseWrong) as error:
        raise CommandError(str(error)) from error
    if args.json:
        _json(restored)
        return 0
    words = ["sysmanager", "coordinator", "--data", str(args.data), "--site", restored.site]
    words += ["--site-key", str(args.site_key)] if args.site_key is not None else []
    print(
        f"Restored {restored.site} of {made:%Y-%m-%d %H:%M:%S} into {args.data}: {restored.records} facts, {restored.documents} documents."
    )
    print(f"Start it with: {typed(words)}")
    print("It asks the recorders what has changed since; see and confirm that with: sysmanager reconcile --confirm")
    return 0


async def _reconcile(client: api.Client, args: argparse.Namespace) -> int:
    system = (await client.snapshot()).system
    if args.confirm:
        reply = await client.request(api.ConfirmReconcile(findings=system.findings))
        _json(reply) if args.json else print(reply.sentence, file=sys.stdout if isinstance(reply, api.Done) else sys.stderr)
        return 0 if isinstance(reply, api.Done) else 1
    if args.json:
        _json({"state": system.state, "findings": system.findings, "waiting_for": system.waiting_for})
        return 0
    print(system.sentence)
    for finding in system.findings:
        print(f"differs  {finding.sentence}")
    for recorder in system.waiting_for:
        print(f"waiting  {recorder} has not been heard, or differs")
    return 0


def _passphrase(file: Path | None) -> str | None:
    """The first line of the file: on the command line everybody on this machine could read it."""
    if file is None:
        return None
    from sysmanager.durable import read_bounded

    try:
        text = read_bounded(file, PASSPHRASE_LIMIT_BYTES).decode()
    except OSError as error:
        raise CommandError(f"The passphrase file {file} can't be read ({error.strerror or error}); check it.") from error
    except UnicodeDecodeError:
        raise CommandError(f"The passphrase file {file} is not UTF-8 text; write it anew.") from None
    line = text.splitlines()[0] if text else ""
    if not line.strip():
        raise CommandError(f"The first line of the passphrase file {file} is empty; write the passphrase there.")
    return line


def _json(value: object) -> None:
    print(json.dumps(msgspec.to_builtins(value), ensure_ascii=False), flush=True)
