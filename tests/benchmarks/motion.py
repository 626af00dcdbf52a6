"""Motion detection: what it finds, what it finds wrongly, and what it costs.

Scenes with known motion are encoded, decoded as the recorder decodes them, and judged; a thing is found when any picture in which it is, or
the next one, is judged as motion. A false alarm is a picture with motion in which nothing moves. Then a real recorder records cameras that
see a still yard: continuously, at motion by key frames, and at motion by five pictures a second. Aims: every plain scene found without a
false alarm; by key frames at most 20 ms of processor time per camera and second more than continuous recording.

    python -m tests.benchmarks.motion                   8 cameras of 1280x720, 30 s each

With --json FILE what it finds goes into a file beside FILE, and what it costs into FILE.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

from sysmanager.domain.documents import MotionMask
from sysmanager.domain.ids import CameraId
from sysmanager.recorder.motion_eye import Eye, Look
from sysmanager.recorder.segments import Frame, StreamKind
from sysmanager.recorder.session import CameraPlan
from sysmanager.simulation.cameras.scenes import noisy, yard
from tests.benchmarks.machine import arguments, quantile, tell
from tests.benchmarks.recording_site import cameras, cpu_s, family, process, pss_mb, recorder_files

WIDTH, HEIGHT = 640, 360
COUNT = 180
"""Key frames of a scene, one a second."""

EVENTS = tuple(range(30, 170, 20))
"""When something comes; it stays for 8 s."""

STAYS = 8
AIM_MS = 20.0
SETTLE_S = 8.0
START_S = 60.0
HALF = tuple(row * 16 + column for row in range(9) for column in range(8))
"""Cells of the left half of a mask."""

Picture = NDArray[np.float32]
Draw = Callable[[Picture, int, float], None]


class SceneCase(msgspec.Struct, frozen=True, kw_only=True):
    """draw: what moves, into the picture, with the number of the picture and how far it is, 0 to 1, or -1 while nothing is there.

    found: whether it is to be found. plain: whether the aims hold for it.
    """

    name: str
    draw: Draw | None = None
    noise: float = 2.0
    light: Callable[[int], float] = lambda number: 1.0
    mask: MotionMask = MotionMask()
    found: bool = True
    plain: bool = True


def thing(height: float, width: float, *, left: float = 0.0, right: float = 1.0, level: float = 50.0) -> Draw:
    """A dark thing that goes from left to right, shares of the picture."""

    def draw(picture: Picture, number: int, along: float) -> None:
        if along >= 0:
            rows, columns = picture.shape
            tall, wide = max(1, round(height * rows)), max(1, round(width * columns))
            at = round((left + along * (right - left)) * (columns - wide))
            picture[rows // 2 : rows // 2 + tall, at : at + wide] = level

    return draw


def tree(picture: Picture, number: int, along: float) -> None:
    """Leaves that move all the time, in the left quarter."""
    rows, columns = picture.shape
    down, across = np.mgrid[0 : rows // 2, 0 : columns // 4].astype(np.float32)
    picture[: rows // 2, : columns // 4] += 25 * np.sin(across / 9 + number * 1.3) * np.sin(down / 11 + number * 0.9)


def both(*draws: Draw) -> Draw:
    def draw(picture: Picture, number: int, along: float) -> None:
        for each in draws:
            each(picture, number, along)

    return draw


PERSON, FAR, CAR = thing(0.3, 0.06), thing(0.08, 0.02), thing(0.25, 0.25)
SCENES = (
    SceneCase(name="person, day", draw=PERSON),
    SceneCase(name="car, day", draw=CAR),
    SceneCase(name="person, night noise", draw=PERSON, noise=8.0),
    SceneCase(name="person, low contrast", draw=thing(0.3, 0.06, level=95.0)),
    SceneCase(name="person, clouds", draw=PERSON, light=lambda number: 1.0 + 0.25 * float(np.sin(number / 9))),
    SceneCase(name="person creeps 5 % in 8 s", draw=thing(0.3, 0.06, left=0.4, right=0.45), plain=False),
    SceneCase(name="person beside a tree", draw=both(tree, thing(0.3, 0.06, left=0.3)), plain=False),
    SceneCase(name="far person, sensitivity 50", draw=FAR, plain=False),
    SceneCase(name="far person, sensitivity 80", draw=FAR, mask=MotionMask(sensitivity=80)),
    SceneCase(name="person right of the mask", draw=thing(0.3, 0.06, left=0.6), mask=MotionMask(blocked=HALF)),
    SceneCase(name="person under the mask", draw=thing(0.3, 0.06, right=0.4), mask=MotionMask(blocked=HALF), found=False),
    SceneCase(name="tree under the mask", draw=tree, mask=MotionMask(blocked=HALF), found=False),
    SceneCase(name="tree", draw=tree, found=False, plain=False),
    SceneCase(name="nothing, day", found=False),
    SceneCase(name="nothing, night noise", noise=8.0, found=False),
    SceneCase(name="lamp on and off", light=lambda number: 1.35 if number // 15 % 2 else 1.0, found=False),
    SceneCase(name="clouds", light=lambda number: 1.0 + 0.3 * float(np.sin(number / 6)), found=False),
    SceneCase(name="dusk", light=lambda number: 1.0 - 0.004 * number, noise=4.0, found=False),
)


def along(number: int) -> float:
    begun = next((number - event for event in EVENTS if 0 <= number - event < STAYS), -1)
    return begun / STAYS if begun >= 0 else -1.0


def key_frames(scene: SceneCase, seed: int) -> list[Frame]:
    context = av.VideoCodecContext.create("libx264", "w")
    context.width, context.height, context.time_base, context.pix_fmt = WIDTH, HEIGHT, Fraction(1, 1), "yuv420p"
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "g": "1", "crf": "28"}
    ground = yard(WIDTH, HEIGHT)
    packets: list[av.Packet] = []
    for number in range(COUNT):
        picture = ground.copy()
        if scene.draw is not None:
            scene.draw(picture, number, along(number))
        planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
        planes[:HEIGHT] = noisy(picture * np.float32(scene.light(number)), seed * 1_000 + number, scene.noise)
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, 1)
        packets += context.encode(frame)
    packets += context.encode(None)
    return [Frame(bytes(packet), True, number * 1_000_000, number * 1_000_000) for number, packet in enumerate(packets)]


def judge(scene: SceneCase, seeds: int) -> dict[str, Any]:
    found = events = false = quiet = 0
    delays: list[float] = []
    spent_ns = 0
    for seed in range(seeds):
        stream, kind = key_frames(scene, seed), StreamKind(codec="h264")
        looker = Eye(CameraPlan(id=CameraId("x"), name="x", url=""), scene.mask, lambda *_: None, every_frame=False)
        began_ns = time.process_time_ns()
        moved = [looker.see(Look(frame, kind, True)) for frame in stream]
        spent_ns += time.process_time_ns() - began_ns
        expected = scene.found and scene.draw is not None
        for event in EVENTS if expected else ():
            events += 1
            seen = next((number for number in range(event, event + STAYS + 1) if moved[number]), None)
            found += seen is not None
            if seen is not None:
                delays.append(float(seen - event))
        for number in range(1, COUNT):
            busy = expected and any(0 <= number - event <= STAYS + 1 for event in EVENTS)
            quiet += not busy
            false += moved[number] and not busy
    return {
        "scene": scene.name,
        "events": events,
        "found %": 100 * found / events if events else "",
        "after s, p95": quantile(delays, 0.95) if delays else "",
        "false alarms an hour": 3600 * false / quiet,
        "ms a picture": spent_ns / 1e6 / (COUNT * seeds),
        "plain": "yes" if scene.plain else "",
    }


WAYS: dict[str, dict[str, Any]] = {
    "continuous": {"mode": "continuous"},
    "motion, key frames": {"mode": "motion"},
    "motion, 5 pictures a second": {"mode": "motion", "motion_per_s": 5},
}


@contextlib.contextmanager
def recording(folder: Path, addresses: dict[str, str], fields: dict[str, Any]) -> Iterator[list[Any]]:
    with process("recorder", "--config", str(recorder_files(folder, addresses, **fields))) as running:
        time.sleep(SETTLE_S)
        yield family(running.pid)


def cost(count: int, seconds: float, size: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as text, cameras(count, Path(text) / "cache", size, scene="yard") as addresses:
        for name, fields in WAYS.items():
            folder = Path(text) / str(len(rows))
            with recording(folder, addresses, fields) as family_of_it:
                before, began = cpu_s(family_of_it), time.monotonic()
                time.sleep(seconds)
                spent, took = cpu_s(family_of_it) - before, time.monotonic() - began
                written = sum(path.stat().st_size for path in folder.rglob("*.ts"))
                rows.append(
                    {
                        "recorder": name,
                        "cameras": count,
                        "CPU ms per camera s": 1000 * spent / took / count,
                        "PSS MB": pss_mb(family_of_it),
                        "written MB": written / 1e6,
                    }
                )
    return rows


def main() -> int:
    parser = arguments("What motion detection finds, and what it costs.")
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each measurement of a recorder (default 30)")
    parser.add_argument("--size", default="1280x720", help="of the cameras' picture (default 1280x720)")
    parser.add_argument("--seeds", type=int, default=3, help="how often each scene is drawn with other noise (default 3)")
    args = parser.parse_args()
    scenes = [judge(scene, args.seeds) for scene in SCENES]
    costs = cost(args.cameras, args.seconds, args.size)
    plain = [row for row in scenes if row["plain"]]
    good = all(row["found %"] in ("", 100.0) and row["false alarms an hour"] == 0 for row in plain)
    good &= costs[1]["CPU ms per camera s"] - costs[0]["CPU ms per camera s"] <= AIM_MS
    beside = args.json.with_name(f"{args.json.stem}-scenes{args.json.suffix}") if args.json is not None else None
    tell("What motion detection finds", scenes, beside, good=good)
    return tell("What it costs", costs, args.json, good=good)


if __name__ == "__main__":
    sys.exit(main())
