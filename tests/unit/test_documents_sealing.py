import base64
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysmanager.documents.sealing import (
    SealBroken,
    SealedSecret,
    SiteKey,
    canonical_document,
    canonical_hash,
    matches_hash,
    seal,
    unseal,
)

KEY = SiteKey(bytes(range(32)))
OTHER_KEY = SiteKey(bytes(32))

plain_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def sealed_object(secret: SealedSecret) -> dict[str, str]:
    return {"hmac": secret.hmac, "sealed": secret.sealed}


@given(st.text(max_size=200))
def test_what_was_sealed_is_unsealed(plaintext: str) -> None:
    assert unseal(seal(plaintext, KEY), KEY) == plaintext


@given(plain_json, st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_sealing_anew_changes_no_hash(settings: object, secrets: list[str]) -> None:
    def sealed_now() -> dict[str, object]:
        return {"settings": settings, "cameras": [{"password": sealed_object(seal(secret, KEY))} for secret in secrets]}

    first, second = sealed_now(), sealed_now()
    assert first != second
    assert canonical_hash(first) == canonical_hash(second)


@given(st.text(max_size=30), st.text(max_size=30))
def test_hash_changes_exactly_with_the_secret(one: str, other: str) -> None:
    hashes = [canonical_hash({"password": sealed_object(seal(secret, KEY))}) for secret in (one, other)]
    assert (hashes[0] == hashes[1]) == (one == other)


@given(plain_json)
def test_hash_is_that_of_the_written_document(document: object) -> None:
    document_hash = canonical_hash(document)
    assert matches_hash(document_hash, msgspec.json.encode(document))
    assert matches_hash(document_hash, json.dumps(document, indent=3).encode())
    assert json.loads(canonical_document(document)) == document


@given(st.dictionaries(st.text(max_size=8), st.integers(0, 9), min_size=2, max_size=6))
def test_order_of_keys_does_not_matter(document: dict[str, int]) -> None:
    assert canonical_hash(document) == canonical_hash(dict(reversed(document.items())))


def test_canonical_form() -> None:
    secret = {"sealed": "AAAA", "hmac": "beef"}
    assert canonical_document({"b": [1, "ü"], "a": secret}) == '{"a":{"hmac":"beef"},"b":[1,"ü"]}'.encode()
    assert canonical_document({"hmac": "x", "sealed": "y", "more": 1}) == b'{"hmac":"x","more":1,"sealed":"y"}'


@pytest.mark.parametrize("document", [{1: 2}, {"a": {1, 2}}, {"a": float("nan")}, {"a": b"x"}])
def test_what_json_cannot_say_is_refused(document: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_hash(document)


@pytest.mark.parametrize("content", [b"", b"\xff", b"{", b"[" * 100_000, b"NaN"])
def test_garbage_matches_no_hash(content: bytes) -> None:
    assert not matches_hash("0" * 64, content)


def test_same_secret_is_recognised_but_not_shown() -> None:
    one, other = seal("geheim-42", KEY), seal("geheim-42", KEY)
    assert one.hmac == other.hmac
    assert one.sealed != other.sealed
    assert seal("geheim-42", OTHER_KEY).hmac != one.hmac
    for text in (repr(one), str(one), one.sealed, one.hmac, repr(KEY), str(KEY)):
        assert "geheim" not in text
    assert one.sealed not in repr(one)
    assert bytes(range(32)).hex() not in repr(KEY)


def test_injected_nonces_make_it_repeatable() -> None:
    assert seal("x", KEY, nonces=bytes) == seal("x", KEY, nonces=bytes)


def test_wrong_key_is_one_sentence() -> None:
    with pytest.raises(SealBroken, match=f"site key {OTHER_KEY.key_id}: it was sealed with another one"):
        unseal(seal("geheim", KEY), OTHER_KEY)


@pytest.mark.parametrize("position", range(0, 34, 3))
def test_any_flipped_byte_is_noticed(position: int) -> None:
    secret = seal("geheim", KEY)
    content = bytearray(base64.b64decode(secret.sealed))
    content[position] ^= 1
    with pytest.raises(SealBroken) as caught:
        unseal(SealedSecret(hmac=secret.hmac, sealed=base64.b64encode(content).decode()), KEY)
    assert "geheim" not in str(caught.value)


def test_sealed_text_belongs_to_its_hmac() -> None:
    with pytest.raises(SealBroken):
        unseal(SealedSecret(hmac=seal("one", KEY).hmac, sealed=seal("other", KEY).sealed), KEY)


@pytest.mark.parametrize(
    ("mac", "sealed"), [("xyz", ""), ("", ""), ("", "%%"), ("", "AQ=="), ("ü", "ü"), ("", base64.b64encode(bytes(40)).decode())]
)
def test_garbage_is_refused(mac: str, sealed: str) -> None:
    with pytest.raises(SealBroken):
        unseal(SealedSecret(hmac=mac, sealed=sealed), KEY)


def test_sealed_secret_is_written_as_the_hash_expects_it() -> None:
    assert msgspec.to_builtins(seal("x", KEY)).keys() == {"hmac", "sealed"}
