"""`install-service` and `uninstall-service` of recorder and coordinator: systemd on Linux, the service manager on Windows (SPEC 16)."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sysmanager.app import units
from sysmanager.app.errors import CommandError

if TYPE_CHECKING:
    from sysmanager.recorder.configuration import RecorderConfiguration


def add_deeds(deeds: Any, part: str, example: str) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The two commands below the command of `part`; what names the part itself is the caller's to add."""
    system = "the service manager of Windows" if sys.platform == "win32" else "systemd"
    install = deeds.add_parser(
        "install-service",
        help=f"have {system} start the {part} with the machine",
        description=f"Installs the {part} as a service of {system}, started now, with the machine, and again when it fails.",
        epilog=f"example: sysmanager {part} install-service {example}",
    )
    install.add_argument("--account", metavar="NAME", help=f"the user it runs as; {units.ACCOUNT} on Linux, that of the machine on Windows")
    install.add_argument("--no-start", action="store_true", help="install it only; it starts with the machine")
    if sys.platform != "win32":
        install.add_argument("--print", action="store_true", help="print the unit, and install nothing")
    uninstall = deeds.add_parser(
        "uninstall-service",
        help="stop the service in order, and remove it",
        description=f"Stops the service of the {part} in order and removes it. Its data and its footage stay.",
        epilog=f"example: sysmanager {part} uninstall-service {example}",
    )
    return install, uninstall


def unit_name(recorder: str) -> str:
    return f"sysmanager-recorder-{recorder}.service"


COORDINATOR_UNIT = "sysmanager-coordinator.service"


def program(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-X", "utf8", "-m", "sysmanager", *arguments)


def recorder_text(config: Path, configuration: RecorderConfiguration, account: str) -> str:
    """The unit of this recorder, with the folders that it writes."""
    return units.recorder_unit(
        program("recorder", "--config", str(config)),
        name=configuration.name,
        account=account,
        writable=(configuration.data, *configuration.disks.values()),
    )


def install_recorder(args: argparse.Namespace) -> int:
    from sysmanager.app.commands.recorder import configuration_of

    config, configuration = configuration_of(args)
    if sys.platform == "win32":
        from sysmanager.app.windows_service import Pywin32, install

        name = unit_name(configuration.id).removesuffix(".service")
        install(Pywin32(), name, config, args.account, start=not args.no_start)
    else:
        from sysmanager.app.linux_service import Installer

        account, name = args.account or units.ACCOUNT, unit_name(configuration.id)
        text = recorder_text(config, configuration, account)
        if args.print:
            print(text, end="")
            return 0
        Installer().install(name, text, account, folders=(configuration.data_folder,), start=not args.no_start)
    print(f"The service {name} is installed{'' if args.no_start else ' and started'}.")
    return 0


def uninstall_recorder(args: argparse.Namespace) -> int:
    from sysmanager.app.commands.recorder import configuration_of

    _, configuration = configuration_of(args)
    name = unit_name(configuration.id)
    if sys.platform == "win32":
        from sysmanager.app.windows_service import Pywin32, uninstall

        name = name.removesuffix(".service")
        uninstall(Pywin32(), name)
    else:
        from sysmanager.app.linux_service import Installer

        Installer().uninstall(name)
    print(f"The service {name} is stopped and removed; its data and its footage stay.")
    return 0


def coordinator_text(args: argparse.Namespace, account: str) -> str:
    data = args.data.resolve()
    words = ["coordinator", "--data", str(data), "--site", args.site, "--log", "/var/log/sysmanager/coordinator.log"]
    words += ["--site-key", str(args.site_key.resolve() if args.site_key is not None else units.SITE_KEY)]
    words += ["--metrics", f"{args.metrics[0]}:{args.metrics[1]}"] if args.metrics is not None else []
    writable = [str(data), *([str(args.site_key.resolve().parent)] if args.site_key is not None else [])]
    return units.coordinator_unit(program(*words), account=account, writable=writable)


def install_coordinator(args: argparse.Namespace) -> int:
    _linux_only()
    from sysmanager.app.linux_service import Installer

    if args.data is None:
        raise CommandError("No data folder is named; name it with --data DIR (see sysmanager coordinator --help).")
    account = args.account or units.ACCOUNT
    text = coordinator_text(args, account)
    if args.print:
        print(text, end="")
        return 0
    Installer().install(COORDINATOR_UNIT, text, account, folders=(args.data.resolve(),), start=not args.no_start)
    print(f"The service {COORDINATOR_UNIT} is installed{'' if args.no_start else ' and started'}.")
    return 0


def uninstall_coordinator(args: argparse.Namespace) -> int:
    _linux_only()
    from sysmanager.app.linux_service import Installer

    Installer().uninstall(COORDINATOR_UNIT)
    print(f"The service {COORDINATOR_UNIT} is stopped and removed; its data stays.")
    return 0


def _linux_only() -> None:
    if sys.platform == "win32":
        raise CommandError("The coordinator can't be installed as a service of Windows by this version; have the Task Scheduler start it.")
