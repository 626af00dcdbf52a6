from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterator

import av.error
import pytest

from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.reconnect import Waits, opening_problem

SECRET_URL = "rtsp://u:S3cret@10.0.0.9/x"


def test_waits_grow_to_ten_seconds_and_are_jittered() -> None:
    waits = Waits(random.Random(4))
    got = [waits.next_s(CameraState.UNREACHABLE) for _ in range(12)]
    for number, wait_s in enumerate(got):
        longest = min(10.0, 0.2 * 2**number)
        assert longest / 2 <= wait_s <= longest
    assert len(set(got)) == len(got)


def test_a_frame_makes_the_next_wait_short() -> None:
    waits = Waits(random.Random(4))
    for _ in range(9):
        waits.next_s(CameraState.STALLED)
    waits.reset()
    assert waits.next_s(CameraState.STALLED) <= 0.2


def test_a_busy_camera_is_tried_each_second_for_ever() -> None:
    waits = Waits(random.Random(4))
    assert all(0.9 <= waits.next_s(CameraState.BUSY) <= 1.0 for _ in range(100))


def error(kind: type[av.error.FFmpegError], number: int = 1) -> av.error.FFmpegError:
    return kind(number, "it went wrong", SECRET_URL)


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (av.error.HTTPUnauthorizedError, CameraState.WRONG_PASSWORD),
        (av.error.HTTPForbiddenError, CameraState.WRONG_PASSWORD),
        (av.error.HTTPNotFoundError, CameraState.NOT_FOUND),
        (av.error.HTTPOtherClientError, CameraState.BUSY),
        (av.error.HTTPServerError, CameraState.BUSY),
        (av.error.ConnectionRefusedError, CameraState.REFUSED),
        (av.error.TimeoutError, CameraState.UNREACHABLE),
        (av.error.ExitError, CameraState.UNREACHABLE),
        (av.error.PatchWelcomeError, CameraState.FAILED),
    ],
)
def test_reasons_are_told_apart(kind: type[av.error.FFmpegError], state: CameraState) -> None:
    problem = opening_problem(error(kind), "Door", "rtsp://10.0.0.9/x", 0.1, 3.0)
    assert problem.state is state
    assert problem.sentence.startswith(("Door", "The stream of Door"))
    assert "S3cret" not in problem.sentence


def test_errors_of_the_network_and_of_the_settings() -> None:
    assert opening_problem(error(av.error.OSError, errno.EHOSTUNREACH), "Door", "", 0.1, 3.0).state is CameraState.UNREACHABLE
    assert opening_problem(ValueError(f"bad {SECRET_URL}"), "Door", "", 0.1, 3.0).state is CameraState.FAILED
    assert "S3cret" not in opening_problem(ValueError(f"bad {SECRET_URL}"), "Door", "", 0.1, 3.0).sentence


@pytest.fixture
def listening_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_no_answer_is_told_from_a_hung_up_call(listening_port: int) -> None:
    failed = error(av.error.InvalidDataError)
    url = f"rtsp://127.0.0.1:{listening_port}/x"
    assert opening_problem(failed, "Door", url, 3.0, 3.0).state is CameraState.UNREACHABLE
    assert opening_problem(failed, "Door", url, 0.1, 3.0).state is CameraState.REFUSED
    assert opening_problem(failed, "Door", "rtsp://[::bad/x".replace("[", ""), 0.1, 3.0).state is CameraState.UNREACHABLE
