"""What the processes of a recorder load, and in which order they begin; tried in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.helpers.recorder_site import recorder_folder

PROGRAM = """
import sys
from pathlib import Path
from sysmanager.recorder import service_process
HEAVY = ("av", "sysmanager.recorder.service")
print([name for name in HEAVY if name in sys.modules])
def begin(pulse, pid):
    print([name for name in HEAVY if name in sys.modules])
    sys.exit(0)
service_process.Pulse.begin = begin
service_process.run_service(Path(sys.argv[1]))
"""


def test_the_watchdog_loads_no_heavy_module_and_the_service_all_of_them_before_its_first_sign_of_life(tmp_path: Path) -> None:
    config = recorder_folder(tmp_path, "spare", {}, standby=True)
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(config)], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["[]", "['av', 'sysmanager.recorder.service']"]


def loaded(module: str, names: str) -> str:
    code = f"import sys, {module}; print([name for name in {names.split()} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.strip()


def test_a_watchdog_loads_nothing_that_it_does_not_need() -> None:
    """What it speaks on the bus with comes with its first word: most of them never have one to say."""
    modules = "sysmanager.app.main, sysmanager.app.inherited, sysmanager.app.log_files, sysmanager.recorder.watchdog"
    assert loaded(modules, "aiohttp asyncio av cryptography hashlib nats numpy ssl structlog") == "[]"


def test_a_recorder_loads_no_types_of_the_journal_and_of_clients_and_its_watchdog_no_machine() -> None:
    names = "sysmanager.coordinator.facts sysmanager.protocol.clients sysmanager.recorder.machine"
    assert loaded("sysmanager.recorder.watchdog", names) == "[]"
    assert loaded("sysmanager.recorder.service", names) == "['sysmanager.recorder.machine']"


def test_a_recording_service_loads_what_it_needs_to_record() -> None:
    """numpy comes with the first picture that is looked at for motion, aiohttp with the first copy of material, cryptography with that or
    with the first secret."""
    assert loaded("sysmanager.recorder.service", "aiohttp av cryptography numpy") == "['av']"


def test_the_bus_hides_aiohttp_from_nobody() -> None:
    assert loaded("sysmanager.bus.nats, aiohttp", "aiohttp nats") == "['aiohttp', 'nats']"
    assert loaded("aiohttp, sysmanager.bus.nats", "aiohttp nats") == "['aiohttp', 'nats']"


def test_the_command_of_a_recorder_loads_no_other_command() -> None:
    code = (
        "import sys; from sysmanager.app.main import parser; parser(['recorder']).parse_args(['recorder', '--config', 'x']); "
        "print([name for name in ('sysmanager.api', 'sysmanager.app.commands.backup', 'msgspec') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
