"""Sealing the secrets of a backup under a passphrase (SPEC 3, 7).

Who knows the passphrase makes a key pair of it by scrypt and gives the coordinator the public half: the passphrase never leaves its
machine, automatic backups need nobody to be asked, and the file alone opens nothing. The secrets are sealed to that half (X25519, HKDF,
AES-256-GCM).
"""

from __future__ import annotations

import secrets
import unicodedata

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from sysmanager.domain.backup import SALT_BYTES, RecoveryKey, unfit_key

COST, BLOCK, LANES = 1 << 16, 8, 1
"""scrypt's n, r, p: 64 MB and about a quarter of a second for each guess."""

LEAST_LETTERS = 8
MOST_LETTERS = 1024
NONCE_BYTES = 12
_PURPOSE = b"sysmanager backup 1"


class PassphraseWrong(Exception):
    """The secrets cannot be opened, or the passphrase cannot be used. The text is one sentence and holds nothing of either."""


class Sealed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Secrets that the passphrase behind `key` opens."""

    key: RecoveryKey
    ephemeral: bytes
    nonce: bytes
    content: bytes


def recovery_key(passphrase: str, cost: int = COST) -> RecoveryKey:
    """The public half of a new key for this passphrase; takes a while. Raises `PassphraseWrong` for one that is too short."""
    if not LEAST_LETTERS <= len(passphrase) <= MOST_LETTERS:
        raise PassphraseWrong(f"A passphrase has {LEAST_LETTERS} to {MOST_LETTERS} characters; choose another one.")
    salt = secrets.token_bytes(SALT_BYTES)
    private = _private(passphrase, salt, cost, BLOCK, LANES)
    return RecoveryKey(salt=salt, cost=cost, block=BLOCK, lanes=LANES, public=private.public_key().public_bytes_raw())


def seal(content: bytes, key: RecoveryKey, context: bytes) -> Sealed:
    """context: what the secrets belong to; they open with the same only."""
    ephemeral = X25519PrivateKey.generate()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(key.public))
    public, nonce = ephemeral.public_key().public_bytes_raw(), secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(_derive(shared, public + key.public)).encrypt(nonce, content, context)
    return Sealed(key=key, ephemeral=public, nonce=nonce, content=sealed)


def unseal(sealed: Sealed, passphrase: str, context: bytes) -> bytes:
    """Raises `PassphraseWrong`."""
    key = sealed.key
    if unfit_key(key) is not None or len(sealed.ephemeral) != len(key.public) or len(sealed.nonce) != NONCE_BYTES:
        raise PassphraseWrong("The secrets in the backup are damaged; use another backup.")
    private = _private(passphrase, key.salt, key.cost, key.block, key.lanes)
    if private.public_key().public_bytes_raw() != key.public:
        raise PassphraseWrong("The passphrase is not the one that this backup was made with; enter the right one.")
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(sealed.ephemeral))
        return AESGCM(_derive(shared, sealed.ephemeral + key.public)).decrypt(sealed.nonce, sealed.content, context)
    except (InvalidTag, ValueError):
        raise PassphraseWrong("The secrets in the backup are damaged; use another backup.") from None


def _private(passphrase: str, salt: bytes, cost: int, block: int, lanes: int) -> X25519PrivateKey:
    text = unicodedata.normalize("NFC", passphrase).encode()
    return X25519PrivateKey.from_private_bytes(Scrypt(salt=salt, length=32, n=cost, r=block, p=lanes).derive(text))


def _derive(shared: bytes, keys: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=keys, info=_PURPOSE).derive(shared)
