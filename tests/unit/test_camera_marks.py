from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysmanager.simulation.cameras.sei import MARK_UUID, FrameMark, decode_mark, encode_mark, read_sei

marks = st.builds(
    FrameMark,
    camera=st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True) | st.just("\x00\x00\x00\x01"),
    frame=st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2, 3, 0x000001, 0x00000300]),
    captured_us=st.integers(-(2**63), 2**63 - 1),
)
slices = st.binary(min_size=1, max_size=300).map(lambda body: b"\x41" + body.replace(b"\x00", b"\x11") + b"\x80")


@given(marks, slices)
def test_a_mark_survives_both_packet_forms(mark: FrameMark, picture: bytes) -> None:
    unit = encode_mark(mark)
    assert read_sei(b"\x00\x00\x00\x01" + unit + b"\x00\x00\x01" + picture) == mark
    assert read_sei(b"\x00\x00\x01\x09\xf0\x00\x00\x00\x01" + unit + b"\x00\x00\x00\x01" + picture) == mark
    assert read_sei(b"".join(len(each).to_bytes(4, "big") + each for each in (b"\x09\xf0", unit, picture))) == mark


@given(marks)
def test_no_start_code_is_emulated_inside_a_mark(mark: FrameMark) -> None:
    unit = encode_mark(mark)
    assert not any(bytes((0, 0, last)) in unit for last in (0, 1, 2))
    assert unit[-1] != 0


@given(marks, st.data())
def test_a_cut_mark_is_none_or_itself(mark: FrameMark, data: st.DataObject) -> None:
    unit = encode_mark(mark)
    cut = data.draw(st.integers(0, len(unit) - 1))
    assert decode_mark(unit[:cut]) in (None, mark)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(noise: bytes) -> None:
    assert read_sei(noise) is None
    read_sei(noise + MARK_UUID.bytes + noise)
    read_sei(b"\x00\x00\x01\x06" + noise + MARK_UUID.bytes + noise)


def test_a_length_that_looks_like_a_start_code() -> None:
    mark = FrameMark(camera="c" * 200, frame=7, captured_us=9)
    unit = encode_mark(mark)
    picture = b"\x41" * (0x1FF - len(unit) % 7)
    packet = len(picture).to_bytes(4, "big") + picture + len(unit).to_bytes(4, "big") + unit
    assert packet.startswith(b"\x00\x00\x01")
    assert read_sei(packet) == mark


def test_a_mark_beside_another_message() -> None:
    mark = FrameMark(camera="cam-001", frame=1, captured_us=2)
    other = b"\x06\x05\x12" + b"\x22" * 18 + b"\x80"
    assert read_sei(b"\x00\x00\x01" + other + b"\x00\x00\x01" + encode_mark(mark)) == mark


@pytest.mark.parametrize("mark", [FrameMark(camera="x" * 201, frame=0, captured_us=0), FrameMark(camera="x", frame=-1, captured_us=0)])
def test_what_does_not_fit_is_refused(mark: FrameMark) -> None:
    with pytest.raises(ValueError):
        encode_mark(mark)
