"""What the recorder does so that its memory stays flat, tried in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import psutil
from sysmanager.recorder.memory import begin, give_back
begin()
blocks = [bytes(2_000) for _ in range(20_000)]
blocks.append(blocks)
last = bytes(2_000)
del blocks
before = psutil.Process().memory_info().rss
give_back()
print((before - psutil.Process().memory_info().rss) >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the C library gives memory back by itself")
def test_what_was_freed_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) >= 20
