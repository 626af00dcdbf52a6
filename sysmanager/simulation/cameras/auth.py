"""Basic and Digest authentication as an RTSP camera asks for it (RFC 2617)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from typing import Literal

Scheme = Literal["none", "basic", "digest"]

REALM = "camera"
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


class Gate:
    """Asks one connection for the user's name and password."""

    def __init__(self, scheme: Scheme, username: str, password: str) -> None:
        self._scheme = scheme
        self._username = username
        self._password = password
        self._nonce = secrets.token_hex(16)

    def admits(self, method: str, authorization: str) -> bool:
        """Whether the Authorization header of a request is right for this connection."""
        if self._scheme == "none":
            return True
        kind, _, rest = authorization.partition(" ")
        if kind.lower() != self._scheme:
            return False
        return self._basic(rest) if self._scheme == "basic" else self._digest(method, rest)

    def challenge(self) -> str:
        """The WWW-Authenticate header to answer with."""
        if self._scheme == "basic":
            return f'Basic realm="{REALM}"'
        return f'Digest realm="{REALM}", nonce="{self._nonce}"'

    def _basic(self, encoded: str) -> bool:
        try:
            given = base64.b64decode(encoded.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(given, f"{self._username}:{self._password}".encode())

    def _digest(self, method: str, rest: str) -> bool:
        fields = {name: quoted or bare for name, quoted, bare in _FIELD.findall(rest)}
        if fields.get("username") != self._username or fields.get("nonce") != self._nonce:
            return False
        first = _md5(f"{self._username}:{REALM}:{self._password}")
        second = _md5(f"{method}:{fields.get('uri', '')}")
        return hmac.compare_digest(fields.get("response", ""), _md5(f"{first}:{self._nonce}:{second}"))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()
