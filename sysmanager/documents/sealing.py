"""Secrets in documents, and the hash of a document that does not change when they are sealed anew (SPEC 3).

A sealed secret is an object with exactly two fields: `hmac`, the same for the same secret and site key, and `sealed`, different each
time. The hash of a document covers the first and leaves out the second.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable

import msgspec

from sysmanager.documents.site_key import SiteKey, SiteKeyUnusable

__all__ = [
    "SealBroken",
    "SealedSecret",
    "SiteKey",
    "SiteKeyUnusable",
    "canonical_document",
    "canonical_hash",
    "matches_hash",
    "seal",
    "unseal",
]

NONCE_BYTES = 12
VERSION = b"\x01"
"""AES-256-GCM; first byte of what is sealed, and the additional data begins with it."""

_SEALED_FIELDS = {"hmac", "sealed"}


class SealBroken(Exception):
    """A secret can't be opened. The text is one sentence for people and holds nothing of the secret."""


class SealedSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`hmac`: hexadecimal; `sealed`: base64 of version, nonce and ciphertext."""

    hmac: str
    sealed: str

    def __repr__(self) -> str:
        return f"SealedSecret({self.hmac[:8]}…)"


def seal(plaintext: str, site_key: SiteKey, nonces: Callable[[int], bytes] = secrets.token_bytes) -> SealedSecret:
    """`nonces` gives that many random bytes; a simulation may give its own, everybody else must not."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # with the first secret: many a process has none

    encoded = plaintext.encode()
    mac = hmac.digest(site_key.mac_key, encoded, "sha256")
    nonce = nonces(NONCE_BYTES)
    ciphertext = AESGCM(site_key.seal_key).encrypt(nonce, encoded, VERSION + mac)
    return SealedSecret(hmac=mac.hex(), sealed=base64.b64encode(VERSION + nonce + ciphertext).decode())


def unseal(secret: SealedSecret, site_key: SiteKey) -> str:
    """Raises `SealBroken`."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        mac = bytes.fromhex(secret.hmac)
        content = base64.b64decode(secret.sealed, validate=True)
    except (ValueError, binascii.Error):
        raise SealBroken("A secret is damaged and can't be opened; enter it again.") from None
    if content[:1] != VERSION:
        raise SealBroken("A secret was sealed by a newer version of this program, or is damaged; install that version or enter it again.")
    nonce, ciphertext = content[1 : 1 + NONCE_BYTES], content[1 + NONCE_BYTES :]
    try:
        encoded = AESGCM(site_key.seal_key).decrypt(nonce, ciphertext, VERSION + mac)
    except (InvalidTag, ValueError):
        raise SealBroken(
            f"A secret can't be opened with the site key {site_key.key_id}: it was sealed with another one or is damaged; "
            "restore the right site key or enter the secret again."
        ) from None
    return encoded.decode()


def canonical_document(document: object) -> bytes:
    """The JSON text that the hash is taken of: keys sorted, no spaces, UTF-8, each sealed secret without its `sealed`.

    `document`: what JSON can say, as built-in types with string keys. `ValueError` or `TypeError` for anything else.
    """
    text = json.dumps(_without_seals(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def canonical_hash(document: object) -> str:
    """Hexadecimal SHA-256 of `canonical_document`."""
    return hashlib.sha256(canonical_document(document)).hexdigest()


def matches_hash(document_hash: str, content: bytes) -> bool:
    """Whether `content`, a document as JSON text, has that hash: the usual `Verify` of a document store."""
    try:
        return canonical_hash(msgspec.json.decode(content)) == document_hash
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError):
        return False


def _without_seals(value: object) -> object:
    match value:
        case dict():
            if value.keys() == _SEALED_FIELDS:
                return {"hmac": value["hmac"]}
            if not all(isinstance(key, str) for key in value):
                raise TypeError("the keys of a document are strings")
            return {key: _without_seals(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_without_seals(inner) for inner in value]
        case _:
            return value
