"""FIX 4.4 as the fast path speaks it (hr_fix.h), for tests and tools.

The session is not here: shared/fix/ has it. Decimals stay decimals until an Instrument makes
ticks or lots of them.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from native.library import NativeError, check, ffi, lib

BID: Final = 0
ASK: Final = 1
LEFT_OUT: Final = -1  # lots of a side that stays as it rests
MAY_TAKE: Final = 0
POST_ONLY: Final = 1
POST_OR_FAIL: Final = 2
REDUCE_ONLY: Final = 4
GTC: Final = 1
IOC: Final = 3
FOK: Final = 4
ACCEPTED: Final = 0
GAP: Final = 1
REPEATED: Final = 2
TOO_LOW: Final = 3
WRONG_PEER: Final = 4
INCOMPLETE: Final = 5
BAD_RESET: Final = 6
ENTRY_ORDER: Final = 0
ENTRY_TRADE: Final = 1
ENTRY_ERROR: Final = 2
OUT_BYTES_MAX: Final = 24_576
STREAM_BYTES: Final = 262_144
NOT_FOUND: Final = -6


class Message(NamedTuple):
    """One whole message; `raw` is a copy of its bytes."""

    raw: bytes
    msg_type: str
    sequence: int  # 0: absent
    is_duplicate: bool
    new_sequence: int
    is_gap_fill: bool
    is_reset: bool


class QuoteEntry(NamedTuple):
    id: str | None
    symbol: str | None
    order_id: str | None
    set_id: str | None
    text: str | None
    prices: tuple[Decimal | None, Decimal | None]  # bid, ask
    sizes: tuple[Decimal | None, Decimal | None]  # contracts
    type: int
    status: int
    side: int
    error_code: int


class QuoteAck(NamedTuple):
    quote_id: str | None
    status: int
    reject_reason: int
    error_code: int
    text: str | None
    entries: list[QuoteEntry]


class Fill(NamedTuple):
    trade_id: str | None
    price: Decimal | None
    quantity: Decimal | None
    liquidity: int


class Execution(NamedTuple):
    """An ExecutionReport's fields by their C names, and its fills."""

    fields: dict[str, Any]
    fills: list[Fill]


class Quote(NamedTuple):
    """Ticks and lots of bid and ask; 0 lots cancel a side, LEFT_OUT leaves it."""

    instrument: "Instrument"
    ticks: tuple[int, int]
    lots: tuple[int, int]


def parts(number: str) -> tuple[int, int]:
    """Returns mantissa and exponent of a number such as "0.0001"."""
    value = Decimal(number).normalize().as_tuple()
    assert isinstance(value.exponent, int)
    mantissa = int("".join(map(str, value.digits))) * (-1 if value.sign else 1)
    return (mantissa * 10**value.exponent, 0) if value.exponent > 0 else (mantissa, value.exponent)


class Instrument:
    """Units and constant fields of one instrument; `lot` is in contracts."""

    def __init__(self, name: str, entry_id: int, tick: str, lot: str) -> None:
        self.name = name
        self.entry_id = entry_id
        self.handle = ffi.new("hr_fix_instrument *")
        raw = name.encode()
        check(
            lib.hr_fix_instrument_init(
                self.handle, raw, len(raw), entry_id, *parts(tick), *parts(lot)
            )
        )

    def ticks(self, price: str) -> int:
        """Returns a price in whole ticks; raises NativeError where it is between two."""
        return self._units(lib.hr_fix_to_ticks, price)

    def lots(self, size: str) -> int:
        return self._units(lib.hr_fix_to_lots, size)

    def _units(self, convert: Any, number: str) -> int:
        value = ffi.new("hr_fix_decimal *")
        mantissa, exponent = parts(number)
        value.mantissa, value.exponent, value.is_present = mantissa, exponent, 1
        units = ffi.new("int64_t *")
        check(convert(self.handle, value, units))
        return int(units[0])


class Stream:
    """Bytes of a connection in any pieces in, messages out."""

    def __init__(self) -> None:
        self._memory = ffi.new("uint8_t[]", STREAM_BYTES)
        self._stream = ffi.new("hr_fix_stream *")
        self._message = ffi.new("hr_fix_message *")
        check(lib.hr_fix_stream_init(self._stream, self._memory, STREAM_BYTES))

    @property
    def garbled_count(self) -> int:
        return int(self._stream.garbled_count)

    def feed(self, data: bytes) -> list[Message]:
        check(lib.hr_fix_stream_push(self._stream, data, len(data)))
        found = []
        while (status := lib.hr_fix_stream_next(self._stream, self._message)) == 0:
            found.append(_message(self._message))
        if status != NOT_FOUND:
            check(status)
        return found


class Lane:
    """One connection's numbers, and all that is sent on it. Encoders return the bytes."""

    def __init__(self, sender: str, target: str) -> None:
        self.handle = ffi.new("hr_fix_lane *")
        self._out = ffi.new("uint8_t[]", OUT_BYTES_MAX)
        self._count = ffi.new("int64_t *")
        ours, theirs = sender.encode(), target.encode()
        check(lib.hr_fix_lane_init(self.handle, ours, len(ours), theirs, len(theirs)))

    @property
    def next_in(self) -> int:
        return int(self.handle.next_in)

    @property
    def next_out(self) -> int:
        return int(self.handle.next_out)

    @property
    def is_behind(self) -> bool:
        return bool(lib.hr_fix_lane_is_behind(self.handle))

    def accept(self, message: Message) -> int:
        """Returns the verdict on a message that came in."""
        parsed, _, _ = _parsed(message.raw)
        return int(lib.hr_fix_lane_accept(self.handle, parsed))

    def mass_quote(
        self, form: "QuoteForm", quote_id: int, quotes: Sequence[Quote], now_ns: int
    ) -> bytes:
        rows = ffi.new("hr_fix_quote[]", len(quotes))
        for row, quote in zip(rows, quotes, strict=True):
            row.instrument = quote.instrument.handle
            row.ticks = quote.ticks
            row.lots = quote.lots
        out, count = self._out, self._count
        check(
            lib.hr_fix_encode_mass_quote(
                self.handle, form.handle, quote_id, rows, len(rows), now_ns, out, len(out), count
            )
        )
        return self._written()

    def quote_cancel(
        self,
        cancel_type: int,
        message_id: int,
        now_ns: int,
        *,
        scope: str = "",
        freeze: bool = False,
    ) -> bytes:
        cancel = ffi.new("hr_fix_quote_cancel *")
        kept = _set_text(cancel.scope, scope)
        cancel.message_id, cancel.type, cancel.is_freezing = message_id, cancel_type, freeze
        return self._encoded(lib.hr_fix_encode_quote_cancel, cancel, now_ns, kept)

    def order(self, instrument: Instrument, now_ns: int, **terms: Any) -> bytes:
        return self._order(lib.hr_fix_encode_order, instrument, now_ns, terms)

    def replace(self, instrument: Instrument, now_ns: int, **terms: Any) -> bytes:
        return self._order(lib.hr_fix_encode_replace, instrument, now_ns, terms)

    def cancel(self, instrument: Instrument, now_ns: int, **terms: Any) -> bytes:
        return self._order(lib.hr_fix_encode_cancel, instrument, now_ns, terms)

    def body(self, msg_type: str, body: bytes, now_ns: int, sequence: int = 0) -> bytes:
        out, count, kind = self._out, self._count, int.from_bytes(msg_type.encode(), "little")
        check(
            lib.hr_fix_encode_body(
                self.handle, kind, body, len(body), sequence, now_ns, out, len(out), count
            )
        )
        return self._written()

    def _order(
        self, encode: Any, instrument: Instrument, now_ns: int, terms: dict[str, Any]
    ) -> bytes:
        order = ffi.new("hr_fix_order *")
        order.instrument = instrument.handle
        order.time_in_force = GTC
        kept = []
        for name, value in terms.items():
            if isinstance(value, str):
                kept.append(_set_text(getattr(order, name), value))
            else:
                setattr(order, name, value)
        return self._encoded(encode, order, now_ns, kept)

    def _encoded(self, encode: Any, what: Any, now_ns: int, kept: Any) -> bytes:
        """`kept` holds the texts alive that `what` points to."""
        assert kept is not None
        check(encode(self.handle, what, now_ns, self._out, len(self._out), self._count))
        return self._written()

    def _written(self) -> bytes:
        return bytes(ffi.buffer(self._out, self._count[0]))


class QuoteForm:
    """What all mass quotes of an underlying share."""

    def __init__(self, group: str, set_id: str, execution: int) -> None:
        self.handle = ffi.new("hr_fix_quote_form *")
        first, second = group.encode(), set_id.encode()
        check(
            lib.hr_fix_quote_form_init(
                self.handle, first, len(first), second, len(second), execution
            )
        )


def quote_ack(message: Message) -> QuoteAck:
    """Decodes a MassQuoteAck."""
    parsed, _, _ = kept = _parsed(message.raw)
    ack = ffi.new("hr_fix_quote_ack *")
    check(lib.hr_fix_decode_quote_ack(parsed, ack))
    entries = []
    row = ffi.new("hr_fix_quote_entry *")
    while (status := lib.hr_fix_next_entry(ack, row)) == 0:
        entries.append(
            QuoteEntry(
                _text(row.id),
                _text(row.symbol),
                _text(row.order_id),
                _text(row.set),
                _text(row.text),
                (_decimal(row.price[0]), _decimal(row.price[1])),
                (_decimal(row.size[0]), _decimal(row.size[1])),
                row.type,
                row.status,
                row.side,
                row.error_code,
            )
        )
    _check_end(status, kept)
    why = (ack.reject_reason, ack.error_code, _text(ack.text))
    return QuoteAck(_text(ack.quote_id), ack.status, *why, entries)


def execution(message: Message) -> Execution:
    """Decodes an ExecutionReport."""
    parsed, _, _ = kept = _parsed(message.raw)
    report = ffi.new("hr_fix_execution *")
    check(lib.hr_fix_decode_execution(parsed, report))
    fields = _fields(report, "hr_fix_execution")
    fills = []
    row = ffi.new("hr_fix_fill *")
    while (status := lib.hr_fix_next_fill(report, row)) == 0:
        fills.append(
            Fill(_text(row.trade_id), _decimal(row.price), _decimal(row.quantity), row.liquidity)
        )
    _check_end(status, kept)
    return Execution(fields, fills)


def cancel_report(message: Message) -> dict[str, Any]:
    """Decodes an OrderMassCancelReport."""
    parsed, _, _ = _kept = _parsed(message.raw)
    report = ffi.new("hr_fix_cancel_report *")
    check(lib.hr_fix_decode_cancel_report(parsed, report))
    return _fields(report, "hr_fix_cancel_report")


def refusal(message: Message) -> dict[str, Any]:
    """Decodes an OrderCancelReject, a Reject or a BusinessMessageReject."""
    parsed, _, _ = _kept = _parsed(message.raw)
    report = ffi.new("hr_fix_refusal *")
    check(lib.hr_fix_decode_refusal(parsed, report))
    return _fields(report, "hr_fix_refusal")


def _parsed(raw: bytes) -> tuple[Any, Any, Any]:
    """Returns a message as C sees it, with the memory it points into."""
    memory = ffi.new("uint8_t[]", lib.HR_FIX_STREAM_BYTES_MIN)
    stream = ffi.new("hr_fix_stream *")
    message = ffi.new("hr_fix_message *")
    check(lib.hr_fix_stream_init(stream, memory, len(memory)))
    check(lib.hr_fix_stream_push(stream, raw, len(raw)))
    check(lib.hr_fix_stream_next(stream, message))
    return message, stream, memory


def _message(message: Any) -> Message:
    return Message(
        bytes(ffi.buffer(message.bytes, message.count)),
        message.type.to_bytes(2, "little").rstrip(b"\0").decode("latin-1"),
        message.sequence,
        bool(message.is_duplicate),
        message.new_sequence,
        bool(message.is_gap_fill),
        bool(message.is_reset),
    )


def _check_end(status: int, _kept: Any) -> None:
    if status != NOT_FOUND:
        raise NativeError(status)


def _text(text: Any) -> str | None:
    return (
        None if text.bytes == ffi.NULL else ffi.buffer(text.bytes, text.count)[:].decode("latin-1")
    )


def _set_text(text: Any, value: str) -> Any:
    """Points a C text at a value, absent where that is empty; returns what holds it."""
    kept = ffi.new("uint8_t[]", value.encode() or b"\0")
    text.bytes, text.count = (kept, len(value.encode())) if value else (ffi.NULL, 0)
    return kept


def _decimal(value: Any) -> Decimal | None:
    return Decimal(value.mantissa).scaleb(value.exponent) if value.is_present else None


def _fields(struct: Any, name: str) -> dict[str, Any]:
    """Returns a struct's fields as Python values."""
    found: dict[str, Any] = {}
    for field, about in ffi.typeof(name).fields:
        value = getattr(struct, field)
        if about.type.cname == "hr_fix_text":
            found[field] = _text(value)
        elif about.type.cname == "hr_fix_decimal":
            found[field] = _decimal(value)
        elif about.type.kind == "primitive":
            found[field] = value
    return found
