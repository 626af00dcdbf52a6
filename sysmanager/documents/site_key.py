"""The key of the site, which all secrets in documents are sealed with. Its file lies apart from the data (SPEC 3)."""

import base64
import hashlib
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from sysmanager.documents.port import SiteKeyUnusable
from sysmanager.durable import create_durably, is_private, read_bounded

__all__ = ["SiteKey", "SiteKeyUnusable"]

KEY_BYTES = 32
MAX_FILE_BYTES = 4096
_HEADER = b"sysmanager site key 1"


class SiteKey:
    """32 bytes, from which a key for comparing (`mac_key`) and one for sealing (`seal_key`) are derived. Never shown.

    `material_key`: seals the leave to fetch material; `tls_key`: of the authority that signs the certificates of recorders.
    `key_id`: 16 hexadecimal digits that tell keys apart and reveal nothing. Each is derived when it is asked for first: many a recorder
    has no secret to open, and then does without the 9 MB of `cryptography`.
    """

    __slots__ = ("_derived", "_raw")

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY_BYTES:
            raise ValueError(f"a site key has {KEY_BYTES} bytes")
        self._raw = raw
        self._derived: dict[str, bytes] = {}

    @property
    def mac_key(self) -> bytes:
        return self._for("mac")

    @property
    def seal_key(self) -> bytes:
        return self._for("seal")

    @property
    def material_key(self) -> bytes:
        return self._for("material")

    @property
    def tls_key(self) -> bytes:
        return self._for("tls")

    @property
    def key_id(self) -> str:
        return self._for("key id")[:8].hex()

    def _for(self, purpose: str) -> bytes:
        if purpose not in self._derived:
            self._derived[purpose] = _derive(self._raw, f"sysmanager {purpose} 1".encode())
        return self._derived[purpose]

    def __repr__(self) -> str:
        return f"SiteKey({self.key_id})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SiteKey) and secrets.compare_digest(self._raw, other._raw)

    def __hash__(self) -> int:
        return hash(self.key_id)

    def __reduce__(self) -> str:
        raise TypeError("a site key is written by save_new, or sealed into a backup")

    @classmethod
    def load_or_create(cls, path: Path) -> "SiteKey":
        """The key in `path`; a new one is written there when the file does not exist. Raises `SiteKeyUnusable`.

        Without its old key a site can't open the secrets that it has: see to it that `path` does not get lost.
        """
        if not path.exists():
            key = cls(secrets.token_bytes(KEY_BYTES))
            try:
                if not path.parent.is_dir():
                    path.parent.mkdir(mode=0o700, parents=True)
                with suppress(FileExistsError):  # another process was faster: its key counts
                    key.save_new(path)
            except OSError as error:
                reason = error.strerror or str(error)
                raise SiteKeyUnusable(f"The site key can't be written to {path} ({reason}); check the rights of that folder.") from error
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> "SiteKey":
        """Raises `SiteKeyUnusable`."""
        try:
            if not is_private(path):
                raise SiteKeyUnusable(f"The site key {path} can be read by other users; take their rights away (chmod 600).")
            content = read_bounded(path, MAX_FILE_BYTES)
        except OSError as error:
            raise SiteKeyUnusable(
                f"The site key {path} can't be read ({error.strerror or error}); check the file and its rights."
            ) from error
        damaged = SiteKeyUnusable(f"The site key {path} is damaged or belongs to another user; restore the file from a backup.")
        lines = content.split(b"\n")
        if len(lines) != 4 or lines[0] != _HEADER or lines[3]:
            raise damaged
        if hashlib.sha256(lines[1]).hexdigest().encode() != lines[2]:
            raise damaged
        try:
            raw = _unprotect(base64.b64decode(lines[1], validate=True))
        except (ValueError, OSError):
            raise damaged from None
        if len(raw) != KEY_BYTES:
            raise damaged
        return cls(raw)

    def for_backup(self) -> bytes:
        """The bytes that it is made of again by `SiteKey(...)`: for a backup, which seals them at once."""
        return self._raw

    def save_new(self, path: Path) -> None:
        """Write it, readable only by this user. Raises `FileExistsError`, `OSError`; never replaces a key."""
        protected = base64.b64encode(_protect(self._raw))
        check = hashlib.sha256(protected).hexdigest().encode()
        create_durably(path, b"\n".join((_HEADER, protected, check, b"")), private=True)


def _derive(raw: bytes, purpose: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(raw)


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    class _Blob(ctypes.Structure):
        _fields_ = [("size", wintypes.DWORD), ("data", ctypes.POINTER(ctypes.c_char))]

    _UI_FORBIDDEN = 0x1

    def _call_dpapi(function_name: str, content: bytes) -> bytes:
        """CryptProtectData and its counterpart: only this Windows user can undo the one with the other. Raises `OSError`."""
        function = getattr(ctypes.WinDLL("crypt32", use_last_error=True), function_name)
        function.argtypes = [
            ctypes.POINTER(_Blob),
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_void_p,
            ctypes.c_void_p,
            wintypes.DWORD,
            ctypes.POINTER(_Blob),
        ]
        function.restype = wintypes.BOOL
        local_free = ctypes.WinDLL("kernel32", use_last_error=True).LocalFree
        local_free.argtypes = [ctypes.c_void_p]
        local_free.restype = ctypes.c_void_p
        buffer = ctypes.create_string_buffer(content, len(content))
        source = _Blob(len(content), ctypes.cast(buffer, ctypes.POINTER(ctypes.c_char)))
        target = _Blob()
        if not function(ctypes.byref(source), None, None, None, None, _UI_FORBIDDEN, ctypes.byref(target)):
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            return ctypes.string_at(target.data, target.size)
        finally:
            local_free(ctypes.cast(target.data, ctypes.c_void_p))

    def _protect(raw: bytes) -> bytes:
        return _call_dpapi("CryptProtectData", raw)

    def _unprotect(protected: bytes) -> bytes:
        return _call_dpapi("CryptUnprotectData", protected)

else:

    def _protect(raw: bytes) -> bytes:
        """Here the file's rights are the protection."""
        return raw

    def _unprotect(protected: bytes) -> bytes:
        return protected
