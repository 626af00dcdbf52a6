"""What is kept when a camera records at motion: from the key frame at or before the time before it, to the end of that after it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sysmanager.recorder.motion_cut import CutSettings, MotionCut
from sysmanager.recorder.segments import Frame, StreamKind

KIND, OTHER = StreamKind(codec="h264"), StreamKind(codec="hevc")
SECOND = 1_000_000


class Kept:
    """An outlet that keeps what it gets: pieces, each begun and maybe ended."""

    def __init__(self) -> None:
        self.pieces: list[list[Frame]] = []
        self.kinds: list[StreamKind] = []
        self.open = False

    def begin(self, kind: StreamKind) -> None:
        assert not self.open, "the one before was ended"
        self.pieces.append([])
        self.kinds.append(kind)
        self.open = True

    def put(self, frame: Frame) -> bool:
        assert self.open
        assert self.pieces[-1] or frame.key, "a piece begins with a key frame"
        self.pieces[-1].append(frame)
        return True

    def end(self) -> None:
        assert self.open
        self.open = False

    def seconds(self) -> list[list[float]]:
        return [[frame.pts_us / SECOND for frame in piece] for piece in self.pieces]


def frames(count: int, *, gop: int = 4, first: int = 0, size: int = 10, every_us: int = SECOND // 2) -> list[Frame]:
    """Half a second apart, a key frame every two seconds."""
    return [Frame(b"x" * size, number % gop == 0, number * every_us, number * every_us) for number in range(first, first + count)]


def cut(before_s: int = 3, after_s: int = 4, limit_bytes: int = 1 << 30) -> tuple[MotionCut, Kept]:
    kept = Kept()
    made = MotionCut(kept, CutSettings(before_us=before_s * SECOND, after_us=after_s * SECOND, limit_bytes=limit_bytes))
    made.begin(KIND)
    return made, kept


def run(made: MotionCut, stream: list[Frame], moved_at: set[float]) -> None:
    """Every key frame is judged as soon as it came."""
    for frame in stream:
        made.put(frame)
        if frame.key:
            made.judged(frame.pts_us, moved=frame.pts_us / SECOND in moved_at)


def span(first: float, last: float) -> list[float]:
    return [first + half / 2 for half in range(round((last - first) * 2) + 1)]


def test_without_motion_nothing_is_kept_and_little_waits() -> None:
    made, kept = cut()
    run(made, frames(400), set())
    assert kept.pieces == []
    assert made.waiting_bytes <= 10 * 2 * (3 + 2 + 2)


def test_one_motion() -> None:
    """At 20 s: from 17 s back to the key frame at 16, until 24."""
    made, kept = cut()
    run(made, frames(100), {20.0})
    assert kept.seconds() == [span(16, 24)]
    assert not kept.open, "the piece is complete when nothing can be added any more"


def test_a_motion_that_is_told_late() -> None:
    made, kept = cut()
    stream = frames(100)
    for frame in stream[:48]:
        made.put(frame)
        if frame.key and frame.pts_us < 20 * SECOND:
            made.judged(frame.pts_us, moved=False)
    made.judged(20 * SECOND, moved=True)
    for frame in stream[48:]:
        made.put(frame)
    assert kept.seconds() == [span(16, 24)]


def test_motions_that_overlap_are_one_piece() -> None:
    made, kept = cut()
    run(made, frames(100), {20.0, 22.0, 26.0})
    assert kept.seconds() == [span(16, 30)]


def test_motions_that_meet_within_one_group_of_pictures_are_one_piece() -> None:
    """The first ends at 24; the second needs the key frame at 24 or before: 28 - 3 = 25."""
    made, kept = cut()
    run(made, frames(100), {20.0, 28.0})
    assert kept.seconds() == [span(16, 32)]


def test_motions_apart_are_two_pieces() -> None:
    made, kept = cut()
    run(made, frames(100), {20.0, 34.0})
    assert kept.seconds() == [span(16, 24), span(30, 38)]


def test_at_the_very_beginning_there_is_no_more_than_there_is() -> None:
    made, kept = cut()
    run(made, frames(30), {0.0})
    assert kept.seconds() == [span(0, 4)]


def test_everything_is_kept_while_all_is_asked_for_and_motion_goes_on_from_there() -> None:
    made, kept = cut()
    stream = frames(100)
    run(made, stream[:21], set())
    for frame in stream[21:41]:
        assert made.put(frame, everything=True)
    run(made, stream[41:], {24.0})
    assert kept.seconds() == [span(6, 28)], "with what waited when it began; the motion at 24 needs 20 and is joined"


def test_a_stream_that_breaks_off_goes_on_with_its_next_key_frame() -> None:
    made, kept = cut()
    run(made, frames(44), {20.0})
    made.end()
    made.begin(OTHER)
    assert not made.put(frames(1, first=45)[0])
    run(made, frames(40, first=46), set())
    assert kept.seconds() == [span(16, 21.5), [24.0]]
    assert kept.kinds == [KIND, OTHER]


def test_what_waited_when_a_stream_ended_can_still_be_asked_for() -> None:
    made, kept = cut()
    for frame in frames(20):
        made.put(frame)
    made.end()
    made.judged(8 * SECOND, moved=True)
    assert kept.seconds() == [span(4, 9.5)]
    assert not kept.open


def test_where_memory_is_short_less_is_kept_before_a_motion() -> None:
    made, kept = cut(before_s=20, limit_bytes=100)
    run(made, frames(100), {40.0})
    (piece,) = kept.seconds()
    assert piece[0] >= 36
    assert piece[-1] == 44


def test_a_group_that_is_too_large_alone_is_given_up() -> None:
    made, kept = cut(limit_bytes=45)
    taken = [made.put(frame) for frame in frames(12, gop=10)]
    assert taken == [True] * 5 + [False] * 5 + [True, True]
    assert kept.pieces == []


def test_a_clock_that_is_set_back_does_not_keep_it_recording() -> None:
    made, kept = cut()
    run(made, frames(100, first=7_200), {3_620.0})
    run(made, frames(100), {20.0})
    assert kept.seconds()[1:] == [span(16, 24)]


def test_before_a_stream_there_are_no_frames() -> None:
    with pytest.raises(RuntimeError):
        MotionCut(Kept(), CutSettings()).put(frames(1)[0])


@settings(max_examples=300)
@given(data=st.data())
def test_exactly_what_the_motions_ask_for(data: st.DataObject) -> None:
    """Whatever the groups of pictures, the motions and the lag of their detection."""
    before_us, after_us = data.draw(st.integers(0, 8)) * SECOND, data.draw(st.integers(0, 8)) * SECOND
    gaps = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=25))
    keys = {sum(gaps[:place]) for place in range(len(gaps))}
    stream = [Frame(b"x", number in keys, number * SECOND, number * SECOND) for number in range(sum(gaps))]
    moved = data.draw(st.sets(st.sampled_from(sorted(keys))))
    lag = data.draw(st.integers(0, 6))
    kept = Kept()
    made = MotionCut(kept, CutSettings(before_us=before_us, after_us=after_us))
    made.begin(KIND)
    due = sorted(keys)
    for frame in stream:
        made.put(frame)
        while due and due[0] * SECOND <= frame.pts_us - lag * SECOND:
            made.judged(due[0] * SECOND, moved=due.pop(0) in moved)
    for key in due:
        made.judged(key * SECOND, moved=key in moved)
    made.end()
    wanted: set[int] = set()
    for motion in moved:
        first = max((key for key in keys if key * SECOND <= motion * SECOND - before_us), default=0)
        wanted |= {number for number in range(first, len(stream)) if number * SECOND <= motion * SECOND + after_us}
    found = [round(frame.pts_us / SECOND) for piece in kept.pieces for frame in piece]
    assert found == sorted(wanted)
    for piece in kept.pieces:
        assert all(after.pts_us - before.pts_us == SECOND for before, after in pairwise(piece)), "no hole inside a piece"
