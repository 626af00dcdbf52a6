"""TLS between the recorders of a site: each has a certificate that the site's own authority signed, and takes no other.

The authority's key is derived from the site key, which the recorders of a site share until each is enrolled with a key of its own. So
nothing has to be handed out, and whoever is not of the site neither serves nor fetches.
"""

from __future__ import annotations

import datetime as dt
import ssl
import tempfile
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sysmanager.documents.sealing import SiteKey
from sysmanager.domain.ids import RecorderId
from sysmanager.durable import write_durably

FROM: Final = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
UNTIL: Final = dt.datetime(2120, 1, 1, tzinfo=dt.UTC)
"""Clocks of recorders may be wrong, and a certificate that ends would stop the copying of evidence: the site key is what counts."""


def host_name(recorder: RecorderId) -> str:
    """The name in a recorder's certificate. Ids may hold what host names may not, so it is their hexadecimal form."""
    text = recorder.encode().hex()
    labels = [text[at : at + 60] for at in range(0, len(text), 60)]
    return ".".join((*labels, "recorder"))


def _authority(key: SiteKey) -> tuple[Ed25519PrivateKey, x509.Certificate]:
    private = Ed25519PrivateKey.from_private_bytes(key.tls_key)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"System Manager site {key.key_id}")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(FROM)
        .not_valid_after(UNTIL)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .add_extension(_usage(signs=True), critical=True)
        .sign(private, None)
    )
    return private, certificate


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def source_context(key: SiteKey, recorder: RecorderId, folder: Path) -> ssl.SSLContext:
    """For a recorder that serves its material. folder: private, for the moment in which the key must lie in a file. Raises OSError."""
    authority, root = _authority(key)
    private = Ed25519PrivateKey.generate()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, recorder)]))
        .issuer_name(root.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(FROM)
        .not_valid_after(UNTIL)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host_name(recorder))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
        .sign(authority, None)
    )
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as private_folder:  # Python's ssl takes keys from files only
        file = Path(private_folder) / "certificate.pem"
        write_durably(file, pem, private=True)
        context.load_cert_chain(file)
    return context


def target_context(key: SiteKey) -> ssl.SSLContext:
    """For a recorder that fetches: only a source whose certificate the site's authority signed, and which is the one that is meant."""
    _, root = _authority(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=root.public_bytes(Encoding.PEM).decode("ascii"))
    return context
