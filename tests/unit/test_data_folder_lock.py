import os
import subprocess
import sys
from pathlib import Path

import pytest

from sysmanager.journal.lock import DataFolderLock, DataFolderLocked, DataFolderUnusable


def test_second_one_is_refused_with_the_pid(tmp_path: Path) -> None:
    with DataFolderLock(tmp_path / "data"):
        with pytest.raises(DataFolderLocked) as caught:
            DataFolderLock(tmp_path / "data").acquire()
    assert caught.value.pid == os.getpid()
    assert str(caught.value) == (
        f"The data folder {tmp_path / 'data'} is in use by process {os.getpid()}; end it first, or name another data folder."
    )


def test_released_lock_can_be_taken(tmp_path: Path) -> None:
    for _ in range(2):
        with DataFolderLock(tmp_path):
            pass


def test_unusable_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataFolderUnusable, match=r"can't be written \(.*\); give this user"):
        DataFolderLock(tmp_path / "file" / "data").acquire()


@pytest.mark.process
def test_lock_goes_with_a_killed_process(tmp_path: Path) -> None:
    holder = (
        "import sys; from pathlib import Path; from sysmanager.journal.lock import DataFolderLock\n"
        "lock = DataFolderLock(Path(sys.argv[1])); lock.acquire(); print('held', flush=True); sys.stdin.read()"
    )
    child = subprocess.Popen([sys.executable, "-c", holder, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    with child:
        assert child.stdout.readline().strip() == b"held"
        with pytest.raises(DataFolderLocked) as caught:
            DataFolderLock(tmp_path).acquire()
        assert caught.value.pid == child.pid
        child.kill()
        child.wait(timeout=10)
    with DataFolderLock(tmp_path):
        pass
