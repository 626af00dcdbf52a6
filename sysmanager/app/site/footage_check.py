"""Judges a rehearsal by nothing but the footage and the report: `python -m sysmanager.app.site.footage_check DIR REPORT.json`.

Each gap is computed anew, from the capture times in the frames and from the numbers that are missing between them. A gap that the
report states otherwise, a frame lost or doubled anywhere else, and footage where it should not be are findings.
Exit status 0: all is right; 1: one sentence for each finding on stderr; 2: DIR or the report cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from sysmanager.app.site.frames import MarkedFrame, Piece, read_footage
from sysmanager.app.site.report import FORMAT, CameraReport, Gap, Report, Stint, Victim, Way, columns
from sysmanager.domain.failover import Failover
from sysmanager.domain.ids import Epoch, RecorderId

TOLERANCE_MS = 100
END_LIMIT_MS = 1000
"""How much earlier than a recorder's end its footage may end: what a kill may take, and the camera's last frames on their way."""

REPORT_LIMIT_BYTES = 64 << 20


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One camera by its frames. Gaps in milliseconds: by capture times, and by the numbers missing; None for one that did not move.

    both: frames that failover server and recorder both have, from the return of the tasks.
    """

    camera: str
    frames: int
    both: int = 0
    gap_by_time_ms: float | None = None
    gap_by_number_ms: float | None = None
    missing: int = 0


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    cameras: tuple[Measured, ...]
    findings: tuple[str, ...]


def judge(report: Report, pieces: Sequence[Piece]) -> Judgement:
    """Judge all footage of the time of the rehearsal. Pure."""
    known = {each.camera for each in report.cameras}
    findings = [
        f"{piece.path.name}: footage of {piece.camera}, which is no camera of the report." for piece in pieces if piece.camera not in known
    ]
    measured = []
    for camera in report.cameras:
        own = [piece for piece in pieces if piece.camera == camera.camera]
        result, found = _Camera(camera, report, own).judge()
        measured.append(result)
        findings.extend(found)
    if not report.entry.moved:
        findings.append(f"In {report.entry.id} no camera moved; there is no gap to judge.")
    return Judgement(cameras=tuple(measured), findings=tuple(findings))


class _Camera:
    """The judging of one camera."""

    def __init__(self, camera: CameraReport, report: Report, pieces: Sequence[Piece]) -> None:
        self._camera = camera
        self._entry: Failover = report.entry
        self._moments = report.moments
        self._gapless = report.gapless
        self._way = report.way
        self._server_killed = report.also is not None and report.also.victim is Victim.SERVER
        self._pieces = pieces
        self._moved = camera.camera in report.entry.moved
        self._by_stint: dict[tuple[RecorderId, Epoch], list[MarkedFrame]] = {}
        for piece in pieces:
            self._by_stint.setdefault((RecorderId(piece.machine), Epoch(piece.epoch)), []).extend(piece.frames)

    def judge(self) -> tuple[Measured, list[str]]:
        findings = [*self._pieces_sound(), *self._places(), *self._stints(), *self._continuity(), *self._whole()]
        if not self._moved:
            return Measured(camera=self._camera.camera, frames=self._frames()), findings
        measured = self._measured()
        findings.extend(self._gap(measured))
        findings.extend(self._seam())
        return measured, findings

    def _frames(self) -> int:
        return sum(len(frames) for frames in self._by_stint.values())

    # -- one piece by itself

    def _pieces_sound(self) -> Iterator[str]:
        for piece in self._pieces:
            where = f"{piece.machine}, {piece.path.name}"
            if piece.recorder != piece.machine:
                yield f"{where}: the name says that {piece.recorder} recorded it, and it lies with {piece.machine}."
            if piece.unmarked:
                yield f"{where}: {piece.unmarked} frames carry no mark."
            foreign = {frame.camera for frame in piece.frames} - {piece.camera}
            if foreign:
                yield f"{where}: frames of {', '.join(sorted(foreign))} in the footage of {piece.camera}."
            yield from _sequence([frame.number for frame in piece.frames], where)

    # -- who recorded when

    def _places(self) -> Iterator[str]:
        """Footage of each epoch is only where it should be: with its recorder, and around the failover as the log entry says."""
        for (machine, epoch), frames in self._by_stint.items():
            where = f"{self._camera.camera}: {machine} has {len(frames)} frames under epoch {epoch}"
            if not self._moved:
                if machine != self._camera.recorder:
                    yield f"{where}, and the camera is {self._camera.recorder}'s and did not move."
            elif machine == self._entry.server:
                if epoch != self._entry.epoch:
                    yield f"{where}, and it acted under epoch {self._entry.epoch}."
            elif machine != self._entry.recorder:
                yield f"{where}, and it neither had the camera nor acted for the one that had."
            elif epoch <= self._entry.previous_epoch:
                if not self._way.ends_recording:
                    continue
                late = [frame for frame in frames if frame.captured_us > (self._moments.killed_ms + TOLERANCE_MS) * 1000]
                if late:
                    yield f"{where}, {len(late)} of them captured after it was killed."
            elif self._entry.failback is None or epoch != self._entry.failback.epoch:
                yield f"{where}, which is neither from before the failover nor the epoch of the failback."

    def _stints(self) -> Iterator[str]:
        stated = {(stint.recorder, stint.epoch): stint for stint in self._camera.stints}
        files = Counter((piece.machine, piece.epoch) for piece in self._pieces)
        for key in sorted(stated.keys() | self._by_stint.keys()):
            frames = self._by_stint.get(key, [])
            where = f"{self._camera.camera}: {key[0]} under epoch {key[1]}"
            if key not in stated:
                yield f"{where} has {len(frames)} frames that the report does not name."
            elif not frames:
                yield f"{where} should have {stated[key].frames} frames and has none."
            else:
                yield from self._stint(where, stated[key], frames, files[key])

    def _stint(self, where: str, stated: Stint, frames: Sequence[MarkedFrame], files: int) -> Iterator[str]:
        if stated.frames != len(frames):
            yield f"{where} has {len(frames)} frames and the report says {stated.frames}."
        if stated.segments != files:
            yield f"{where} has {files} segments and the report says {stated.segments}."
        for what, ms, frame in (("first", stated.first_frame_ms, frames[0]), ("last", stated.last_frame_ms, frames[-1])):
            off_ms = ms - frame.captured_us / 1000
            if abs(off_ms) > TOLERANCE_MS:
                yield f"{where}: the {what} frame is stamped {off_ms:+.0f} ms away from its capture."

    def _continuity(self) -> Iterator[str]:
        """What one recorder recorded without being interrupted has every number once, also across the borders of its segments.

        A recorder that lost its disks writes what may be lost again, elsewhere or later: these frames may lie there twice. A failover
        server that was killed has a hole of its own.
        """
        for pieces in self._unbroken():
            last = pieces[0].frames[-1].number
            for before, after in pairwise(pieces):
                first = after.frames[0].number
                where = f"{self._camera.camera}: {after.machine}, between {before.path.name} and {after.path.name}"
                if first > last + 1 and not (self._server_killed and after.machine == self._entry.server):
                    yield f"{where} {_missing(first - last - 1)}."
                elif first <= last and not (self._way is Way.DISKS and after.machine == self._entry.recorder):
                    yield f"{where} {last - first + 1} frames are doubled."
                last = max(last, after.frames[-1].number)

    def _unbroken(self) -> Iterable[list[Piece]]:
        """The pieces of each recorder, of the one that was killed apart from before and after; by epoch and time."""
        found: dict[tuple[str, bool], list[Piece]] = {}
        marked = (piece for piece in self._pieces if piece.frames)
        for piece in sorted(marked, key=lambda piece: (piece.epoch, piece.frames[0].captured_us)):
            back = self._moved and piece.machine == self._entry.recorder and piece.epoch > self._entry.previous_epoch
            found.setdefault((piece.machine, back), []).append(piece)
        return found.values()

    def _whole(self) -> Iterator[str]:
        """Nobody stopped early: the footage reaches from the time at which all recorded to the end, but for the gap."""
        moments, camera = self._moments, self._camera.camera
        before = self._before() if self._moved else self._all()
        after = self._returned() if self._moved else self._all()
        if before and min(frame.captured_us for frame in before) > (moments.recording_ms + TOLERANCE_MS) * 1000:
            yield f"{camera}: the footage begins after all cameras were said to be recorded."
        if self._moved and before:
            yield from self._reaches(before, moments.killed_ms, "the recorder was broken")
        if after:
            yield from self._reaches(after, moments.stopping_ms, "the end of the rehearsal")

    def _reaches(self, frames: Sequence[MarkedFrame], until_ms: int, what: str) -> Iterator[str]:
        short_ms = until_ms - max(frame.captured_us for frame in frames) / 1000
        if short_ms > END_LIMIT_MS:
            yield f"{self._camera.camera}: the footage ends {short_ms:.0f} ms before {what}."

    def _all(self) -> list[MarkedFrame]:
        return [frame for frames in self._by_stint.values() for frame in frames]

    # -- the gap, and the return

    def _before(self) -> list[MarkedFrame]:
        entry = self._entry
        return [
            frame
            for (machine, epoch), frames in self._by_stint.items()
            if machine == entry.recorder and epoch <= entry.previous_epoch
            for frame in frames
        ]

    def _acting(self) -> list[MarkedFrame]:
        return self._by_stint.get((self._entry.server or RecorderId(""), self._entry.epoch), [])

    def _returned(self) -> list[MarkedFrame]:
        failback = self._entry.failback
        return self._by_stint.get((self._entry.home, failback.epoch), []) if failback is not None else []

    def _measured(self) -> Measured:
        before, acting, returned = self._before(), self._acting(), self._returned()
        both = len({frame.number for frame in acting} & {frame.number for frame in returned})
        if not before or not acting:
            return Measured(camera=self._camera.camera, frames=self._frames(), both=both)
        last, first = max(before, key=lambda frame: frame.number), min(acting, key=lambda frame: frame.number)
        interval_us = _interval_us([*before, *acting, *returned])
        return Measured(
            camera=self._camera.camera,
            frames=self._frames(),
            both=both,
            gap_by_time_ms=(first.captured_us - last.captured_us) / 1000,
            gap_by_number_ms=(first.number - last.number) * interval_us / 1000,
            missing=max(0, first.number - last.number - 1),
        )

    def _gap(self, measured: Measured) -> Iterator[str]:
        stated, camera = self._camera.gap, self._camera.camera
        if measured.gap_by_time_ms is None or measured.gap_by_number_ms is None:
            yield f"{camera}: there is no footage on both sides of the failover."
            return
        if self._gapless and measured.missing:
            yield f"{camera}: {_missing(measured.missing)} at the failover, and there may be no gap."
        if stated is None:
            yield f"{camera}: the report states no gap, and by the footage it is {measured.gap_by_time_ms:.0f} ms."
            return
        if not stated.final:
            yield f"{camera}: the gap in the report is provisional; the recorder's footage was not read."
        for how, ms in (("capture times", measured.gap_by_time_ms), ("frame numbers", measured.gap_by_number_ms)):
            # A server that was killed after it began to record tells its first frame since then: it states too much, never too little.
            too_much = self._server_killed and stated.gap_ms > ms
            if abs(stated.gap_ms - ms) > TOLERANCE_MS and not too_much:
                yield f"{camera}: the report states a gap of {stated.gap_ms} ms, and by the {how} in the footage it is {ms:.0f} ms."
        parts_ms = stated.detection_ms + stated.decision_ms + stated.saving_ms + stated.first_frame_ms
        if parts_ms != stated.gap_ms:
            yield f"{camera}: the parts of the gap come to {parts_ms} ms and the gap to {stated.gap_ms} ms."

    def _seam(self) -> Iterator[str]:
        acting, returned, stated = self._acting(), self._returned(), self._camera.seam
        camera = self._camera.camera
        if not acting or not returned:
            yield f"{camera}: there is no footage on both sides of the failback."
            return
        last, first = max(acting, key=lambda frame: frame.number), min(returned, key=lambda frame: frame.number)
        if first.number > last.number + 1:
            yield f"{camera}: {_missing(first.number - last.number - 1)} where the tasks went back."
        overlap_ms = (last.captured_us - first.captured_us) / 1000
        if stated is None:
            yield f"{camera}: the report says nothing of the failback."
        elif abs(stated.overlap_ms - overlap_ms) > TOLERANCE_MS:
            found = f"by the footage it is {overlap_ms:.0f} ms"
            yield f"{camera}: the report states an overlap of {stated.overlap_ms} ms at the failback, and {found}."


def _sequence(numbers: Sequence[int], where: str) -> Iterator[str]:
    """Frame numbers that should follow one another."""
    for number, times in Counter(numbers).items():
        if times > 1:
            yield f"{where}: frame {number} is there {times} times."
    previous = None
    for number in numbers:
        if previous is not None and number > previous + 1:
            yield f"{where}: {_missing(number - previous - 1)} after frame {previous}."
        elif previous is not None and number < previous:
            yield f"{where}: frame {number} comes after frame {previous}."
        previous = number


def _missing(count: int) -> str:
    return "1 frame is missing" if count == 1 else f"{count} frames are missing"


def _interval_us(frames: Sequence[MarkedFrame]) -> float:
    """Mean time from one frame to the next, from the widest stretch; 0 for a single frame."""
    first, last = min(frames, key=lambda frame: frame.number), max(frames, key=lambda frame: frame.number)
    return (last.captured_us - first.captured_us) / max(1, last.number - first.number)


def table(judgement: Judgement, report: Report) -> list[str]:
    """What the footage says, a line per camera that moved; times in seconds."""
    stated: dict[str, Gap | None] = {each.camera: each.gap for each in report.cameras}
    lines: list[tuple[str, ...]] = [("CAMERA", "GAP STATED", "BY TIMES", "BY NUMBERS", "FRAMES MISSING", "FRAMES", "BOTH AT RETURN")]
    for each in judgement.cameras:
        gap = stated.get(each.camera)
        lines.append(
            (
                each.camera,
                f"{gap.gap_ms / 1000:.3f}" if gap is not None else "",
                _seconds(each.gap_by_time_ms),
                _seconds(each.gap_by_number_ms),
                str(each.missing) if each.gap_by_time_ms is not None else "0",
                str(each.frames),
                str(each.both),
            )
        )
    return columns(lines)


def _seconds(ms: float | None) -> str:
    return "" if ms is None else f"{ms / 1000:.3f}"


def read_report(path: Path) -> Report:
    """ValueError with one sentence if it is no report."""
    try:
        if path.stat().st_size > REPORT_LIMIT_BYTES:
            raise ValueError(f"The report {path} is larger than {REPORT_LIMIT_BYTES} bytes.")
        report = msgspec.json.decode(path.read_bytes(), type=Report)
    except OSError as error:
        raise ValueError(f"The report {path} can't be read ({error.strerror or error}).") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"The file {path} is no report of a rehearsal: {error}.") from None
    if report.format != FORMAT:
        raise ValueError(f"The report {path} has the format {report.format}, and this program knows {FORMAT}.")
    return report


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m sysmanager.app.site.footage_check",
        description="Judges the rehearsal of a site by its footage.",
        epilog="example: python -m sysmanager.app.site.footage_check site report.json",
    )
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of the site")
    parser.add_argument("report", type=Path, metavar="REPORT.json", help="what the rehearsal wrote")
    args = parser.parse_args(arguments)
    try:
        report = read_report(args.report)
        if not args.folder.is_dir():
            raise ValueError(f"There is no folder {args.folder}.")
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    machines = sorted(path.name for path in args.folder.iterdir() if path.is_dir())
    judgement = judge(report, read_footage(args.folder, machines, report.moments.started_ms * 1000))
    for line in table(judgement, report):
        print(line)
    for finding in judgement.findings:
        print(finding, file=sys.stderr)
    return 1 if judgement.findings else 0


if __name__ == "__main__":
    sys.exit(main())
