"""The systemd units: as they are packaged, as they are written for a machine, and what installing them does (SPEC 16)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sysmanager.app.commands import services
from sysmanager.app.errors import CommandError
from sysmanager.app.linux_service import Installer, run_command
from sysmanager.app.main import main
from sysmanager.app.units import coordinator_unit, packaged, recorder_unit

ROOT = Path(__file__).resolve().parents[2]
LINUX = pytest.mark.skipif(sys.platform == "win32", reason="systemd is a Linux service manager")


@pytest.mark.parametrize("name", sorted(packaged()))
def test_the_packaged_files_are_those_of_the_program(name: str) -> None:
    assert (ROOT / "packaging" / "linux" / name).read_text(encoding="utf-8") == packaged()[name]


def test_a_recorder_outlives_its_watchdog_and_the_coordinator_takes_its_bus_with_it() -> None:
    recorder, coordinator = (
        packaged()["sysmanager-recorder.service"].splitlines(),
        packaged()["sysmanager-coordinator.service"].splitlines(),
    )
    assert {"Type=notify", "Restart=always", "WatchdogSec=60", "KillMode=process", "OOMPolicy=continue", "TimeoutStopSec=45"} <= set(
        recorder
    )
    assert {"Type=notify", "Restart=always", "KillMode=mixed", "NoNewPrivileges=yes", "User=sysmanager"} <= set(coordinator)


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain", "plain"),
        ("a b", '"a b"'),
        ("50%", "50%%"),
        ("$HOME", "$$HOME"),
        ('say "hi"', '"say \\"hi\\""'),
        ("", '""'),
        ("it's", '"it\'s"'),
    ],
)
def test_words_of_a_command_reach_the_program_as_they_are(word: str, written: str) -> None:
    assert f"ExecStart=/usr/bin/sysmanager {written}\n" in coordinator_unit(("/usr/bin/sysmanager", word))


def test_a_name_cannot_add_a_line_to_the_unit() -> None:
    text = recorder_unit(("/bin/true",), name="x\nUser=root\n100%", writable=("/srv/a b",), folders=False)
    assert "\nUser=root" not in text
    assert "Description=VMS server x User=root 100%% (Watchdog" in text
    assert 'ReadWritePaths=-"/srv/a b"\n' in text
    assert "StateDirectory" not in text


@LINUX
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("write", [recorder_unit, coordinator_unit])
def test_systemd_finds_nothing_wrong_with_a_unit(tmp_path: Path, write: object) -> None:
    arguments = {"name": "Gate"} if write is recorder_unit else {}
    text = write((sys.executable, "-m", "sysmanager", "it's 50% of $HOME"), account="root", writable=("/srv/a b",), **arguments)  # type: ignore[operator]
    path = tmp_path / "sysmanager-tried.service"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


class Systemctl:
    """What was run; `fails` begins the command that fails."""

    def __init__(self, fails: str = "") -> None:
        self.said: list[str] = []
        self._fails = fails

    def __call__(self, words: Sequence[str]) -> tuple[int, str]:
        self.said.append(" ".join(words))
        failed = bool(self._fails) and self.said[-1].startswith(self._fails)
        return (1, "warning\nAccess denied") if failed else (0, "")


def test_installing_writes_the_unit_and_has_it_started_and_removing_takes_all_of_it_away(tmp_path: Path) -> None:
    systemctl = Systemctl()
    installer = Installer(folder=tmp_path, run=systemctl, has_account=lambda name: name == "vms")
    installer.install("a.service", "[Unit]\n", "vms")
    assert (tmp_path / "a.service").read_text(encoding="utf-8") == "[Unit]\n"
    installer.install("b.service", "[Unit]\n", "vms", start=False)
    assert systemctl.said == [
        "systemctl daemon-reload",
        "systemctl enable --now a.service",
        "systemctl daemon-reload",
        "systemctl enable b.service",
    ]
    systemctl.said.clear()
    installer.uninstall("a.service")
    assert systemctl.said == ["systemctl disable --now a.service", "systemctl daemon-reload"]
    assert [path.name for path in tmp_path.iterdir()] == ["b.service"]


def test_what_cannot_be_installed_is_said_in_one_sentence(tmp_path: Path) -> None:
    def refused(installer: Installer) -> str:
        with pytest.raises(CommandError) as error:
            installer.install("a.service", "[Unit]\n", "vms")
        return str(error.value)

    assert "does not run systemd" in refused(Installer(folder=tmp_path / "none", run=Systemctl(), has_account=lambda _: True))
    assert "There is no user vms" in refused(Installer(folder=tmp_path, run=Systemctl(), has_account=lambda _: False))
    assert refused(Installer(folder=tmp_path, run=Systemctl("systemctl enable"), has_account=lambda _: True)) == (
        "'systemctl enable --now a.service' failed: Access denied."
    )
    with pytest.raises(CommandError, match=r"There is no service b\.service"):
        Installer(folder=tmp_path, run=Systemctl()).uninstall("b.service")
    with pytest.raises(CommandError, match="could not be carried out"):
        run_command(["/nothing/there"])


def test_a_command_is_run_and_its_complaint_is_heard() -> None:
    assert run_command([sys.executable, "-c", "import sys; print('no', file=sys.stderr); sys.exit(3)"]) == (3, "no")


def recorder_file(folder: Path) -> Path:
    path = folder / "recorder.toml"
    path.write_text(
        'id = "REC-1"\nname = "Gate"\ndata = "data"\nbus = "bus.json"\nsite_key = "key"\n[disks]\n"D:" = "foot age"\n', encoding="utf-8"
    )
    return path


@LINUX
def test_the_unit_of_a_recorder_names_its_configuration_and_what_it_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = recorder_file(tmp_path)
    assert main(["recorder", "install-service", "--config", str(config), "--account", "vms", "--print"]) == 0
    text = capsys.readouterr().out
    assert f"-m sysmanager recorder --config {config}\n" in text
    assert "User=vms\n" in text
    assert f"ReadWritePaths=-{tmp_path / 'data'}\n" in text
    assert f'ReadWritePaths=-"{tmp_path / "foot age"}"\n' in text
    assert services.unit_name("REC-1") == "sysmanager-recorder-REC-1.service"


@LINUX
def test_the_unit_of_a_coordinator_names_its_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "site"
    assert main(["coordinator", "install-service", "--data", str(data), "--site", "Harbour site", "--metrics", "9464", "--print"]) == 0
    text = capsys.readouterr().out
    assert f'coordinator --data {data} --site "Harbour site"' in text
    assert "--metrics 127.0.0.1:9464" in text
    assert "--site-key /var/lib/sysmanager-key/site.key" in text
    assert f"ReadWritePaths=-{data}\n" in text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["recorder"], "name it with --config FILE"),
        (["recorder", "install-service"], "name it with --config FILE"),
        (["recorder", "uninstall-service"], "name it with --config FILE"),
        (["coordinator"], "name it with --data DIR"),
        (["coordinator", "install-service"], "name it with --data DIR" if sys.platform != "win32" else "Task Scheduler"),
    ],
)
def test_what_is_not_named_is_asked_for(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert sentence in capsys.readouterr().err
