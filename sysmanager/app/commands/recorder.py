"""`sysmanager recorder`: a VMS server, that is its Watchdog and the recording service that it starts; and what a person does there."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sysmanager.app.commands import services
from sysmanager.app.errors import CommandError

if TYPE_CHECKING:
    from sysmanager.recorder.configuration import RecorderConfiguration
    from sysmanager.recorder.quarantine import Case

EXIT_NO = 1
RELEASE_WAIT_S = 4.0
RELEASE_LOOK_S = 0.1


def add(chosen: Any) -> None:
    parser = chosen.add_parser(
        "recorder",
        help="a VMS server: Watchdog and recording service",
        description="Runs the Watchdog of a VMS server, which starts and supervises its recording service, until it is told to end.",
        epilog="example: sysmanager recorder --config /etc/sysmanager/recorder.toml",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="configuration of the machine, TOML")
    parser.add_argument("--service-only", action="store_true", help="the recording service alone, without a Watchdog")
    parser.add_argument("--as-service", metavar="NAME", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)
    deeds = parser.add_subparsers(dest="deed", metavar="DEED")
    release = deeds.add_parser(
        "release",
        help="let a camera out of quarantine",
        description="Lets a camera out of quarantine: its stream was being opened or decoded when the recording service crashed.",
        epilog="example: sysmanager recorder release gate-1 --config /etc/sysmanager/recorder.toml",
    )
    release.add_argument("camera", metavar="CAMERA", help="id of the camera")
    release.set_defaults(run=run_release)
    held = deeds.add_parser(
        "quarantine",
        help="list the cameras that are in quarantine or suspected",
        description="Lists what is held against cameras: in how many crashes of the recording service their stream was under way.",
        epilog="example: sysmanager recorder quarantine --config /etc/sysmanager/recorder.toml --json",
    )
    held.add_argument("--json", action="store_true", help="for scripts")
    held.set_defaults(run=run_quarantine)
    install, uninstall = services.add_deeds(deeds, "recorder", "--config /etc/sysmanager/recorder.toml")
    install.set_defaults(run=services.install_recorder)
    uninstall.set_defaults(run=services.uninstall_recorder)
    for deed in (release, held, install, uninstall):
        deed.add_argument("--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help="configuration of the machine, TOML")


def configuration_of(args: argparse.Namespace) -> tuple[Path, RecorderConfiguration]:
    """The path and the content of the configuration that --config names. Raises CommandError."""
    from sysmanager.recorder.configuration import ConfigurationError, load_configuration

    if args.config is None:
        raise CommandError("No configuration is named; name it with --config FILE (see sysmanager recorder --help).")
    config: Path = args.config.resolve()
    try:
        return config, load_configuration(config)
    except ConfigurationError as error:
        raise CommandError(str(error)) from error


def run(args: argparse.Namespace) -> int:
    from sysmanager.app.inherited import end_with_owner, log_folder
    from sysmanager.app.log_files import set_up_plain_logging

    config, configuration = configuration_of(args)
    part = "service" if args.service_only else "watchdog"
    file = log_folder() / f"{configuration.id}-{part}.log"

    def log_in_full() -> str | None:
        from sysmanager.app.logs import set_up_logging  # not at the top: a Watchdog without a word to say needs nothing of it

        return set_up_logging(file)

    trouble = log_in_full() if args.service_only else set_up_plain_logging(file)
    if trouble is not None:
        print(f"sysmanager: {trouble}", file=sys.stderr)
    end_with_owner()
    if args.service_only:
        from sysmanager.recorder.service_process import run_service

        return run_service(config)
    if args.as_service is not None:
        from sysmanager.app.windows_service import Pywin32, run_as_service

        run_as_service(Pywin32(), args.as_service, config, log_in_full)
        return 0
    from sysmanager.recorder.watchdog import run_watchdog

    return run_watchdog(config, before_speaking=log_in_full)


def run_release(args: argparse.Namespace) -> int:
    from sysmanager.domain.ids import CameraId
    from sysmanager.recorder.case_file import ask_release, load_cases

    _, configuration = configuration_of(args)
    folder = configuration.data_folder
    if not any(case.camera == args.camera for case in load_cases(folder)):
        print(f"Nothing is held against the camera {args.camera} on {configuration.id}; see 'sysmanager recorder quarantine'.")
        return EXIT_NO
    try:
        request = ask_release(folder, CameraId(args.camera))
    except OSError as error:
        raise CommandError(f"The data folder {folder} can't be written ({error.strerror or error}); use the service's account.") from error
    until_s = time.monotonic() + RELEASE_WAIT_S
    while request.exists() and time.monotonic() < until_s:
        time.sleep(RELEASE_LOOK_S)
    if request.exists():
        print(f"The camera {args.camera} is released when the recording service of {configuration.id} runs again; it does not run now.")
    else:
        print(f"The camera {args.camera} is released; the recording service of {configuration.id} opens it now.")
    return 0


def run_quarantine(args: argparse.Namespace) -> int:
    from sysmanager.recorder.case_file import load_cases

    _, configuration = configuration_of(args)
    cases = load_cases(configuration.data_folder)
    if args.json:
        import msgspec

        print(msgspec.json.encode(cases).decode())
        return 0
    for case in cases:
        print(f"{case.camera}: {_held_words(case)}")
    if not cases:
        print(f"Nothing is held against any camera on {configuration.id}.")
    return 0


def _held_words(case: Case) -> str:
    words = []
    if case.crashes:
        held = f"in quarantine, {max(1, case.left_ms // 60_000)} min left" if case.quarantined else "suspected, opened in its turn"
        words.append(f"{held}; its stream was under way in {_times(case.crashes)}")
    if case.decodings:
        held = f"no picture of it is decoded for {max(1, case.blind_ms // 60_000)} min" if case.blind_ms else "its pictures are suspected"
        words.append(f"{held}; one was being decoded in {_times(case.decodings)}")
    return ". ".join(words)


def _times(crashes: int) -> str:
    return f"{crashes} crash{'' if crashes == 1 else 'es'}"
