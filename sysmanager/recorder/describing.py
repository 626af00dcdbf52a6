"""Asking a camera for its description only (RTSP DESCRIBE, RFC 2326): whether it is reached and lets us in, without taking a session.

For what must not cost a camera its only session: a drill, and the question whether a failover server reaches a recorder's cameras.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import secrets
import ssl
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from sysmanager.protocol.recorders import CameraState
from sysmanager.recorder.reconnect import RTSP_PORT, Problem
from sysmanager.recorder.session import CameraPlan

RTSPS_PORT: Final = 322
ANSWER_LIMIT_BYTES: Final = 64 * 1024
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')
_HASHES: Final = {"md5": "md5", "sha-256": "sha256"}


class _Answer:
    """The head of an answer: status, and the challenges of its WWW-Authenticate lines by scheme."""

    def __init__(self, head: str) -> None:
        lines = head.split("\r\n")
        words = lines[0].split(" ", 2)
        if len(words) < 2 or not words[0].startswith("RTSP/") or not words[1].isdigit():
            raise ValueError("no RTSP")
        self.status = int(words[1])
        self.challenges: dict[str, str] = {}
        self.body_bytes = 0
        for line in lines[1:]:
            name, _, value = line.partition(":")
            if name.strip().lower() == "www-authenticate":
                scheme, _, rest = value.strip().partition(" ")
                self.challenges.setdefault(scheme.lower(), rest)
            elif name.strip().lower() == "content-length" and value.strip().isdigit():
                self.body_bytes = int(value.strip())


async def describe(camera: CameraPlan, timeout_s: float) -> Problem | None:
    """None if the camera described its stream; else what is wrong with it, as for a session that cannot be opened."""
    name = camera.name
    try:
        parts = urlsplit(camera.url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("rtsp", "rtsps"):
        return Problem(CameraState.FAILED, f"The address of {name} must begin with rtsp:// or rtsps://. Correct it in the settings.")
    context = None
    if parts.scheme == "rtsps":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # cameras sign themselves, and FFmpeg takes them as they are
    try:
        async with asyncio.timeout(timeout_s):
            default = RTSPS_PORT if context else RTSP_PORT
            reader, writer = await asyncio.open_connection(host, port or default, ssl=context, limit=ANSWER_LIMIT_BYTES)
            try:
                status = await _ask(camera, reader, writer)
            finally:
                writer.close()
                with suppress(OSError, ssl.SSLError):
                    await writer.wait_closed()
    except ConnectionRefusedError:
        return Problem(CameraState.REFUSED, f"{name} refuses the connection. Check that its RTSP service is on and the port is right.")
    except (asyncio.IncompleteReadError, ConnectionError):
        return Problem(CameraState.REFUSED, f"{name} ends the connection without an answer. Check whether it is overloaded.")
    except (OSError, TimeoutError):
        return Problem(CameraState.UNREACHABLE, f"{name} does not answer. Check its power, its network and its address.")
    except (ValueError, asyncio.LimitOverrunError):
        return Problem(CameraState.FAILED, f"What {name} answers is not RTSP. Correct the address in the settings.")
    return _judge(name, status)


def _judge(name: str, status: int) -> Problem | None:
    if status == 200:
        return None
    if status in (401, 403):
        return Problem(CameraState.WRONG_PASSWORD, f"{name} does not accept its user name or password. Correct them in the settings.")
    if status == 404:
        return Problem(CameraState.NOT_FOUND, f"{name} has no stream under this address. Correct the path in the settings.")
    if status == 453 or status >= 500:
        return Problem(CameraState.BUSY, f"{name} gives no further session now.")
    return Problem(CameraState.FAILED, f"{name} does not describe its stream (status {status}).")


async def _ask(camera: CameraPlan, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """The status of the camera's answer, with our credentials where it asks for some. Raises ValueError for what is no RTSP."""
    parts = urlsplit(camera.url)
    url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    answer = await _exchange(reader, writer, url, 1, "")
    if answer.status == 401 and camera.user:
        authorization = _authorization(answer.challenges, "DESCRIBE", url, camera.user, camera.password)
        if authorization:
            answer = await _exchange(reader, writer, url, 2, f"Authorization: {authorization}\r\n")
    return answer.status


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, url: str, number: int, more: str) -> _Answer:
    writer.write(f"DESCRIBE {url} RTSP/1.0\r\nCSeq: {number}\r\nAccept: application/sdp\r\n{more}\r\n".encode())
    await writer.drain()
    answer = _Answer((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
    if answer.body_bytes > ANSWER_LIMIT_BYTES:
        raise ValueError("a description beyond all reason")
    await reader.readexactly(answer.body_bytes)
    return answer


def _authorization(challenges: dict[str, str], method: str, url: str, user: str, password: str) -> str:
    """The Authorization header's value (RFC 2617, 7616); empty where none of the challenges is understood."""
    if "digest" in challenges:
        fields = {name.lower(): quoted or bare for name, quoted, bare in _FIELD.findall(challenges["digest"])}
        algorithm = fields.get("algorithm", "MD5")
        if algorithm.lower() in _HASHES:
            return _digest(fields, algorithm, method, url, user, password)
    if "basic" in challenges:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
    return ""


def _digest(fields: dict[str, str], algorithm: str, method: str, url: str, user: str, password: str) -> str:
    def hashed(text: str) -> str:
        return hashlib.new(_HASHES[algorithm.lower()], text.encode("utf-8"), usedforsecurity=False).hexdigest()

    realm, nonce = fields.get("realm", ""), fields.get("nonce", "")
    first, second = hashed(f"{user}:{realm}:{password}"), hashed(f"{method}:{url}")
    value = f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{url}", algorithm={algorithm}'
    if "opaque" in fields:
        value += f', opaque="{fields["opaque"]}"'
    if "auth" in [each.strip() for each in fields.get("qop", "").split(",")]:
        own = secrets.token_hex(8)
        return f'{value}, qop=auth, nc=00000001, cnonce="{own}", response="{hashed(f"{first}:{nonce}:00000001:{own}:auth:{second}")}"'
    return f'{value}, response="{hashed(f"{first}:{nonce}:{second}")}"'
