"""The one place that turns values into bytes and back: messages between the parts, and facts in the journal.

Every encoding begins with its version and a space, then JSON. What is of another version, malformed, or holds a type or
value that does not fit raises `WireError` with one sentence (SPEC 18); nothing of it is used.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec

if TYPE_CHECKING:
    from sysmanager.coordinator.facts import FactRecord

T = TypeVar("T")

MESSAGE_VERSION = b"1"
FACT_VERSION = b"1"
_SENTENCE_LIMIT = 200
_QUOTED = re.compile(r"value '.*'", re.DOTALL)
_encoder = msgspec.json.Encoder()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


class WireError(Exception):
    """The bytes cannot be read as what they should be. The text is one sentence without their content."""


def encode(message: object) -> bytes:
    """A message between the parts, of a type of `sysmanager.protocol`."""
    return MESSAGE_VERSION + b" " + _encoder.encode(message)


def decode(kind: type[T] | Any, data: bytes) -> T:
    """A message of the type, or of one of the types of the union, `kind`. Raises WireError."""
    return cast(T, _decode(kind, data, MESSAGE_VERSION, "message"))


def encode_fact(record: FactRecord) -> bytes:
    return FACT_VERSION + b" " + _encoder.encode(record)


def decode_fact(data: bytes) -> FactRecord:
    """Raises WireError for a record that this version does not know."""
    return cast("FactRecord", _decode(_fact_record(), data, FACT_VERSION, "journal record"))


@cache
def _fact_record() -> Any:
    # Not at the top: a recorder says and hears messages, and has no use for the hundreds of types of the journal.
    from sysmanager.coordinator.facts import FactRecord

    return FactRecord


def _decode(kind: Any, data: bytes, known: bytes, noun: str) -> object:
    version, space, _ = data[:16].partition(b" ")
    if not space or not version.isdigit():
        raise WireError(f"The {noun} does not begin with a version number.")
    if version != known:
        raise WireError(f"The {noun} is of version {version.decode('ascii')}; this program knows version {known.decode('ascii')}.")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        return decoder.decode(data[len(version) + 1 :])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WireError(f"The {noun} is malformed: {_without_content(str(error))}.") from None
    except RecursionError:
        raise WireError(f"The {noun} is malformed: it is nested too deeply.") from None


def _without_content(text: str) -> str:
    """What the decoder says, without the value that it met: that may be a secret."""
    text = _QUOTED.sub("value", text)
    return "".join(letter if letter.isprintable() else " " for letter in text)[:_SENTENCE_LIMIT]
