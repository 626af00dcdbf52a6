"""No password leaves the edge of capture (SPEC 3). PyAV's exception texts hold the whole stream address."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit

HIDDEN = "***"

# Up to the last @ before a character that cannot be in a password as we send it: people also paste addresses with a bare @ in it.
_USER_INFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#'\"]*@")
_USER_INFO_WITH_SLASH = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s:/@'\"]*:[^\s'\"]*@")
_PARAMETER = re.compile(r"(?i)([?&;\s](?:pass|passwd|password|pwd|token|key|secret|auth)=)[^\s&;'\"]+")
_HEADER = re.compile(r"(?i)(authorization:\s*)[^\r\n]+")


def redact(text: str) -> str:
    """The text without credentials: user and password of addresses, secret parameters, Authorization headers."""
    text = _USER_INFO_WITH_SLASH.sub(rf"\1{HIDDEN}@", text)
    text = _USER_INFO.sub(rf"\1{HIDDEN}@", text)
    text = _PARAMETER.sub(rf"\1{HIDDEN}", text)
    return _HEADER.sub(rf"\1{HIDDEN}", text)


def with_credentials(url: str, user: str, password: str) -> str:
    """The stream address with user and password in it, as FFmpeg wants them. Never log the result."""
    if not user and not password:
        return url
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{place}"))
