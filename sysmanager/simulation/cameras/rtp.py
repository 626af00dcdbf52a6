"""RTP for H.264 (RFC 6184) and RTCP sender reports (RFC 3550), interleaved into an RTSP connection (RFC 2326, 10.12)."""

from __future__ import annotations

import base64
import struct
from collections.abc import Sequence

MTU_BYTES = 1400
PAYLOAD_TYPE = 96
CLOCK_HZ = 90_000
_NTP_EPOCH_S = 2_208_988_800
_FU_A = 28


def payloads(units: Sequence[bytes], mtu_bytes: int = MTU_BYTES) -> list[bytes]:
    """RTP payloads of one access unit: small NAL units whole, large ones as FU-A fragments."""
    out: list[bytes] = []
    for unit in units:
        if len(unit) <= mtu_bytes:
            out.append(unit)
            continue
        indicator, kind = (unit[0] & 0xE0) | _FU_A, unit[0] & 0x1F
        at = 1
        while at < len(unit):
            piece = unit[at : at + mtu_bytes - 2]
            header = kind | (0x80 if at == 1 else 0) | (0x40 if at + len(piece) >= len(unit) else 0)
            out.append(bytes((indicator, header)) + piece)
            at += len(piece)
    return out


class RtpStream:
    """The RTP side of one session: sequence numbers, counts, and the bytes to send. `channel` is the interleaved RTP channel."""

    def __init__(self, ssrc: int, channel: int) -> None:
        self.ssrc = ssrc
        self.channel = channel
        self._sequence = ssrc & 0x7FFF
        self._packets = 0
        self._octets = 0

    def frame(self, parts: Sequence[bytes], timestamp: int) -> bytes:
        """One access unit; the marker bit is on its last packet."""
        out: list[bytes] = []
        last = len(parts) - 1
        for index, part in enumerate(parts):
            kind = PAYLOAD_TYPE | (0x80 if index == last else 0)
            out.append(
                struct.pack(">cBHBBHII", b"$", self.channel, len(part) + 12, 0x80, kind, self._sequence, timestamp & 0xFFFFFFFF, self.ssrc)
            )
            out.append(part)
            self._sequence = (self._sequence + 1) & 0xFFFF
            self._packets += 1
            self._octets += len(part)
        return b"".join(out)

    def sender_report(self, wall_us: int, timestamp: int) -> bytes:
        """The report that says which wall-clock time (microseconds since the epoch) an RTP time stamp stands for."""
        seconds, rest_us = divmod(wall_us, 1_000_000)
        report = struct.pack(
            ">BBHIIIIII",
            0x80,
            200,
            6,
            self.ssrc,
            (seconds + _NTP_EPOCH_S) & 0xFFFFFFFF,
            (rest_us << 32) // 1_000_000,
            timestamp & 0xFFFFFFFF,
            self._packets & 0xFFFFFFFF,
            self._octets & 0xFFFFFFFF,
        )
        return struct.pack(">cBH", b"$", self.channel + 1, len(report)) + report


def describe(parameter_sets: Sequence[bytes], fps: int, host: str) -> str:
    """The SDP of a live H.264 camera."""
    sets = ",".join(base64.b64encode(unit).decode("ascii") for unit in parameter_sets)
    profile = parameter_sets[0][1:4].hex()
    return "\r\n".join(
        (
            "v=0",
            f"o=- 1 1 IN IP4 {host}",
            "s=camera",
            "c=IN IP4 0.0.0.0",
            "t=0 0",
            "a=range:npt=now-",
            "a=control:*",
            f"m=video 0 RTP/AVP {PAYLOAD_TYPE}",
            f"a=rtpmap:{PAYLOAD_TYPE} H264/{CLOCK_HZ}",
            f"a=framerate:{fps}",
            f"a=fmtp:{PAYLOAD_TYPE} packetization-mode=1;profile-level-id={profile};sprop-parameter-sets={sets}",
            "a=control:trackID=0",
            "",
        )
    )
