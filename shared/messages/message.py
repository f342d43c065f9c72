"""What all messages share: tag, subject, delivery, units, bounds, and the one codec."""

import enum
import functools
import math
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Meta

SIZE_BYTES_MAX = 512 * 1024
INT64_MAX = 2**63 - 1

# Bounded scalars. `ge`/`le` on a float also refuse NaN and infinities.
Ns = Annotated[int, Meta(ge=0, le=INT64_MAX)]
Count = Annotated[int, Meta(ge=0, le=INT64_MAX)]
SignedLots = Annotated[int, Meta(ge=-(10**12), le=10**12)]
Lots = Annotated[int, Meta(ge=0, le=10**12)]
Ticks = Annotated[int, Meta(ge=0, le=10**12)]
CoinE12 = Annotated[int, Meta(ge=-(2**62), le=2**62)]
Finite = Annotated[float, Meta(ge=-1e18, le=1e18)]
Positive = Annotated[float, Meta(gt=0.0, le=1e18)]
NonNegative = Annotated[float, Meta(ge=0.0, le=1e18)]
Ratio = Annotated[float, Meta(ge=0.0, le=1.0)]
Vol = Annotated[float, Meta(ge=0.0, le=50.0)]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_\-:]+$")]
NameOrEmpty = Annotated[str, Meta(max_length=64, pattern=r"^[A-Za-z0-9_\-:]*$")]
Text = Annotated[str, Meta(max_length=1024)]
Underlying = Annotated[str, Meta(min_length=1, max_length=12, pattern=r"^[A-Z0-9]+$")]
Side = Literal["buy", "sell"]


class Delivery(enum.Enum):
    """How a message travels, and what a reader may rely on."""

    LOSSY = "lossy"  # core NATS: newest wins, may be dropped, delayed, doubled or reordered
    STATE = "state"  # JetStream, last one per subject kept: a late reader starts from it
    DURABLE = "durable"  # JetStream RECORD stream: at least once, in order, replayed from the start


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """A fact or a command. `created_ns` is desk time, stamped by the producer's core."""

    delivery: ClassVar[Delivery]
    follows_record: ClassVar[bool] = False  # a STATE said only once what is durable is stored

    created_ns: Ns

    def key(self) -> str:
        """Returns the last part of the subject; dots make further levels; empty for none."""
        return ""

    def message_id(self) -> str | None:
        """Returns a deterministic id for idempotence; DURABLE messages must have one."""
        return None


M = TypeVar("M", bound=Message)


@functools.cache
def tag_of(kind: type[Message]) -> str:
    """Returns the tag of a class, which is also its subject's head: `orders.fill.v1`."""
    tag = kind.__struct_config__.tag
    assert isinstance(tag, str)
    return tag


def subject_of(message: Message) -> str:
    key = message.key()
    return f"{tag_of(type(message))}.{key}" if key else tag_of(type(message))


def encode(message: Message) -> bytes:
    """Returns the JSON bytes of a message. Raises BadMessageError if it breaks its own bounds."""
    data = _encoder.encode(message)
    if len(data) > SIZE_BYTES_MAX:
        raise BadMessageError(f"{tag_of(type(message))} was {len(data)} bytes")
    return data


def decode(kind: type[M], data: bytes) -> M:
    """Returns the message in `data`.

    Raises BadMessageError, and nothing else, on anything that is not a whole, finite, bounded
    message of `kind`: msgspec itself lets UnicodeDecodeError and RecursionError through.
    """
    if len(data) > SIZE_BYTES_MAX:
        raise BadMessageError(f"message was {len(data)} bytes, at most {SIZE_BYTES_MAX} allowed")
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        message: M = decoder.decode(data)
    except RecursionError as error:
        raise BadMessageError("message was nested too deeply") from error
    except Exception as error:
        raise BadMessageError(str(error)) from error
    return message


class BadMessageError(ValueError):
    """Bytes that are not a message of the expected kind; the text says why."""


def finite(value: float) -> float:
    """Returns `value`; raises ValueError on NaN or infinity, so that none is ever published."""
    if not math.isfinite(value):
        raise ValueError(f"value was {value}")
    return value


_encoder = msgspec.json.Encoder()
_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}
