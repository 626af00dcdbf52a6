"""The three documents of a recorder: each comes back as it was; what is none is refused (SPEC 3, 18)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sysmanager.documents.sealing import canonical_hash, matches_hash
from sysmanager.domain.documents import DocumentKind, SealedSecret, SettingsDocument, summary_of
from sysmanager.recorder.documents import _TYPES, _Problem, _understood
from tests.helpers.any_values import TEXT, values


def plain(document: Any) -> Any:
    return msgspec.to_builtins(document)


@pytest.mark.parametrize("kind", list(DocumentKind))
def test_a_document_comes_back_as_it_was_under_the_same_hash(kind: DocumentKind) -> None:
    @settings(max_examples=60, deadline=None)
    @given(values(_TYPES[kind]))
    def comes_back(document: Any) -> None:
        written = msgspec.json.encode(document)
        assert msgspec.json.decode(written, type=_TYPES[kind]) == document
        assert matches_hash(canonical_hash(plain(document)), written)
        assert canonical_hash(msgspec.json.decode(written)) == canonical_hash(plain(document))

    comes_back()


@settings(max_examples=60, deadline=None)
@given(values(SettingsDocument), TEXT)
def test_sealing_anew_changes_no_hash_and_a_secret_is_in_no_summary(document: SettingsDocument, sealed: str) -> None:
    secret = SealedSecret(hmac="ab" * 32, sealed=f"first {sealed}")
    again = SealedSecret(hmac=secret.hmac, sealed=f"second {sealed}")
    cameras = [tuple(msgspec.structs.replace(one, password=each) for one in document.cameras) for each in (secret, again)]
    first, second = (msgspec.structs.replace(document, cameras=each) for each in cameras)
    assert canonical_hash(plain(first)) == canonical_hash(plain(second))
    assert summary_of(first) == summary_of(second)
    assert secret.hmac.encode() not in msgspec.json.encode(summary_of(first))


def sound(kind: DocumentKind) -> bytes:
    contents: dict[DocumentKind, object] = {
        DocumentKind.SETTINGS: {"name": "Gate", "disks": ["D:"], "cameras": [{"id": "c1", "name": "one", "url": "rtsp://10.0.0.1/1"}]},
        DocumentKind.MASKS: {"masks": {"c1": {"blocked": [1, 2]}}},
        DocumentKind.SCHEDULES: {"schedules": {"c1": ["c" * 96] * 7}},
    }
    return msgspec.json.encode(contents[kind])


@pytest.mark.parametrize("kind", list(DocumentKind))
def test_a_document_with_some_bytes_changed_is_read_or_refused_with_a_sentence(kind: DocumentKind) -> None:
    assert not isinstance(_understood(kind, sound(kind)), _Problem)

    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def is_read_or_refused(data: st.DataObject) -> None:
        changed = bytearray(sound(kind))
        for _ in range(data.draw(st.integers(1, 4))):
            changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
        cut = bytes(changed[: data.draw(st.integers(0, len(changed)))])
        found = _understood(kind, cut)
        if isinstance(found, _Problem):
            assert found.sentence.startswith(f"The {kind.value} document is ")
            assert found.sentence.endswith(".")
        else:
            assert isinstance(found, _TYPES[kind])

    is_read_or_refused()
