"""The systemd units of coordinator and recorder, as text (SPEC 16). Pure.

`packaging/linux` holds them as a package would install them; `install-service` writes them for the paths of this machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

ACCOUNT: Final = "sysmanager"

RECORDER_STOP_S: Final = 45
"""Telling the coordinator, waiting until another server has the cameras, completing the segments: at most so long."""

COORDINATOR_STOP_S: Final = 30
HUNG_S: Final = 60

SITE_KEY: Final = "/var/lib/sysmanager-key/site.key"
"""Apart from the data, as SPEC 3 wants it."""

_GUARDED: Final = """\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateDevices=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
UMask=0077
"""


def recorder_unit(command: Sequence[str], *, name: str, account: str = ACCOUNT, writable: Iterable[str] = (), folders: bool = True) -> str:
    """The unit of a recorder's Watchdog. command: program and arguments. writable: its data folder and its material disks.

    folders: systemd makes /var/lib/sysmanager and /var/log/sysmanager.

    The recording service lives in the same unit and must outlive its Watchdog: only the main process is signalled (KillMode), and the
    Watchdog ends the service itself when it is told to stop. A Watchdog that dies is started again and takes the service up.
    """
    paths = "".join(f"ReadWritePaths=-{_path(path)}\n" for path in writable)
    return f"""\
[Unit]
Description=VMS server {_plain(name)} (Watchdog and recording service)
Wants=network-online.target
After=network-online.target local-fs.target remote-fs.target time-sync.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={_command(command)}
User={account}
Restart=always
RestartSec=1
WatchdogSec={HUNG_S}
KillMode=process
TimeoutStartSec=60
TimeoutStopSec={RECORDER_STOP_S}
OOMPolicy=continue
OOMScoreAdjust=-500
LimitNOFILE=65536
TasksMax=8192
{_folders(folders)}{paths}{_GUARDED}
[Install]
WantedBy=multi-user.target
"""


def coordinator_unit(command: Sequence[str], *, account: str = ACCOUNT, writable: Iterable[str] = (), folders: bool = True) -> str:
    """The unit of a coordinator. Its bus is a child that ends with it."""
    paths = "".join(f"ReadWritePaths=-{_path(path)}\n" for path in writable)
    return f"""\
[Unit]
Description=System Manager coordinator
Wants=network-online.target
After=network-online.target local-fs.target time-sync.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={_command(command)}
User={account}
Restart=always
RestartSec=1
WatchdogSec={HUNG_S}
KillMode=mixed
TimeoutStartSec=120
TimeoutStopSec={COORDINATOR_STOP_S}
OOMScoreAdjust=-800
LimitNOFILE=65536
{_folders(folders)}{paths}{_GUARDED}
[Install]
WantedBy=multi-user.target
"""


def _folders(wanted: bool) -> str:
    if not wanted:
        return ""
    return (
        "StateDirectory=sysmanager sysmanager-key\nStateDirectoryMode=0700\nLogsDirectory=sysmanager\nLogsDirectoryMode=0750\n"
        "Environment=SYSMANAGER_LOGS=/var/log/sysmanager\nEnvironment=PYTHONUTF8=1\n"
    )


def _command(words: Sequence[str]) -> str:
    return " ".join(_word(word) for word in words)


def _word(word: str) -> str:
    """As systemd reads it: a percent sign and a dollar are doubled, quotes and backslashes escaped."""
    text = word.replace("%", "%%").replace("$", "$$").replace("\\", "\\\\").replace('"', '\\"')
    return text if text and not any(letter.isspace() or letter in "'\"\\;" for letter in text) else f'"{text}"'


def _path(path: str) -> str:
    text = path.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"' if any(letter.isspace() for letter in text) else text


def _plain(name: str) -> str:
    """Fit for one line of a unit."""
    return "".join(letter if letter.isprintable() else " " for letter in name).replace("%", "%%")


def packaged() -> dict[str, str]:
    """The files of `packaging/linux`, by name."""
    program = "/usr/bin/sysmanager"
    recorder = recorder_unit(
        (program, "recorder", "--config", "/etc/sysmanager/recorder.toml"), name="of this machine", writable=("/srv/sysmanager",)
    )
    data = "/var/lib/sysmanager/coordinator"
    coordinator = coordinator_unit(
        (program, "coordinator", "--data", data, "--site-key", SITE_KEY, "--log", "/var/log/sysmanager/coordinator.log")
    )
    return {
        "sysmanager-recorder.service": recorder,
        "sysmanager-coordinator.service": coordinator,
        "sysmanager.sysusers": f'u {ACCOUNT} - "System Manager" /var/lib/sysmanager\n',
    }
