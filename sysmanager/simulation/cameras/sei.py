"""The mark that every synthetic frame carries: camera, frame number, capture time.

It travels in an SEI *user data unregistered* message (H.264, D.1.7) with a UUID of our own, so that a stream copy keeps it and
footage can be judged by nothing but what is in it. No Qt, no bus, no PyAV: the footage checker imports this module alone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final
from uuid import UUID

import msgspec

MARK_UUID: Final = UUID("7c1f9a52-5be3-4d8e-9a37-d2c4e86b1fa9")
"""Identifies our message among those of encoders and cameras. It holds no zero byte, so emulation prevention never touches it."""

CAMERA_ID_LIMIT_BYTES: Final = 200

_FORMAT: Final = struct.Struct(">BQqB")  # version, frame number, capture time, length of the id
_VERSION: Final = 1
_SEI: Final = 6
_USER_DATA_UNREGISTERED: Final = 5


class FrameMark(msgspec.Struct, frozen=True, kw_only=True):
    """What one frame says about itself.

    `frame` counts from the start of the camera and never loops; `captured_us` is microseconds since the Unix epoch.
    """

    camera: str
    frame: int
    captured_us: int


def encode_mark(mark: FrameMark) -> bytes:
    """The mark as one complete SEI NAL unit, without start code or length. ValueError when a field does not fit."""
    camera = mark.camera.encode("utf-8")
    if len(camera) > CAMERA_ID_LIMIT_BYTES:
        raise ValueError(f"camera id is {len(camera)} bytes long, at most {CAMERA_ID_LIMIT_BYTES} fit into a frame mark")
    if not 0 <= mark.frame < 1 << 64 or not -(1 << 63) <= mark.captured_us < 1 << 63:
        raise ValueError("frame number and capture time of a frame mark must fit into 64 bits")
    body = MARK_UUID.bytes + _FORMAT.pack(_VERSION, mark.frame, mark.captured_us, len(camera)) + camera
    rbsp = bytes((_USER_DATA_UNREGISTERED,)) + _sized(len(body)) + body + b"\x80"
    return bytes((_SEI,)) + _protect(rbsp)


def read_sei(packet: bytes) -> FrameMark | None:
    """The mark in one access unit, or None. Takes Annex B (start codes) and length-prefixed (avcC, 4 bytes) packets.

    A packet that begins like a start code can be either; the UUID tells, so both readings are tried.
    """
    if MARK_UUID.bytes not in packet:
        return None
    for units in (_annex_b(packet), _length_prefixed(packet)):
        for unit in units:
            if unit and unit[0] & 0x1F == _SEI:
                mark = decode_mark(unit)
                if mark is not None:
                    return mark
    return None


def decode_mark(unit: bytes) -> FrameMark | None:
    """The mark in one SEI NAL unit, or None when it holds another message or is damaged."""
    rbsp = _unprotect(unit[1:])
    at = 0
    while at + 2 <= len(rbsp) and rbsp[at:] != b"\x80":
        kind, at = _read_sized(rbsp, at)
        size, at = _read_sized(rbsp, at)
        body = rbsp[at : at + size]
        at += size
        if kind == _USER_DATA_UNREGISTERED and len(body) == size and body[:16] == MARK_UUID.bytes:
            return _decode_body(body[16:])
    return None


def _decode_body(body: bytes) -> FrameMark | None:
    if len(body) < _FORMAT.size:
        return None
    version, frame, captured_us, length = _FORMAT.unpack_from(body)
    camera = body[_FORMAT.size :]
    if version != _VERSION or len(camera) != length:
        return None
    try:
        return FrameMark(camera=camera.decode("utf-8"), frame=frame, captured_us=captured_us)
    except UnicodeDecodeError:
        return None


def _sized(value: int) -> bytes:
    return b"\xff" * (value // 255) + bytes((value % 255,))


def _read_sized(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    while at < len(data):
        byte = data[at]
        at += 1
        value += byte
        if byte != 255:
            break
    return value, at


def _protect(rbsp: bytes) -> bytes:
    """Emulation prevention (H.264, 7.4.1): no 00 00 followed by 00-03 remains inside the unit."""
    out = bytearray()
    zeros = 0
    for byte in rbsp:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def _unprotect(data: bytes) -> bytes:
    out = bytearray()
    zeros = 0
    for byte in data:
        if zeros >= 2 and byte == 3:
            zeros = 0
            continue
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)


def _annex_b(packet: bytes) -> Iterator[bytes]:
    at = packet.find(b"\x00\x00\x01")
    while at >= 0:
        begin = at + 3
        at = packet.find(b"\x00\x00\x01", begin)
        # Zero bytes before a start code belong to the code; a NAL unit never ends with one.
        yield packet[begin : at if at >= 0 else len(packet)].rstrip(b"\x00")


def _length_prefixed(packet: bytes) -> Iterator[bytes]:
    at = 0
    while at + 4 <= len(packet):
        size = int.from_bytes(packet[at : at + 4], "big")
        at += 4
        if at + size > len(packet):
            return
        yield packet[at : at + size]
        at += size
