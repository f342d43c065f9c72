"""Recorded option chains: one CSV (plain or gzip) a snapshot, read into typed, validated rows.

Columns as in ../shared/data/README.md; names and order beyond the needed ones are free. An empty
bid, ask, mark or volatility is missing, and so is a zero; anything unreadable refuses the file.
"""

import csv
import gzip
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROWS_MAX = 20_000
COLUMNS = (
    "timestamp", "instrument_name", "underlying", "option_type", "strike", "expiry_datetime",
    "bid_price", "ask_price", "mark_price", "futures_price", "futures_instrument_name",
    "implied_volatility", "currency", "index_price",
)  # fmt: skip


class ChainError(ValueError):
    """The file is no recorded chain; the text names the file, the line and the column."""


@dataclass(frozen=True, slots=True)
class ChainRow:
    """One option as the venue showed it; prices of options in coin."""

    instrument_name: str
    currency: str
    expiry_ns: int
    strike_usd: float
    is_call: bool
    forward_usd: float  # the expiry's forward when this row was taken
    index_usd: float
    bid_coin: float | None
    ask_coin: float | None
    mark_coin: float | None
    mark_vol: float | None
    future_usd: float | None
    future_name: str  # "SYN.…": interpolated by the venue; empty: the index stands in
    delta: float | None = None
    open_interest: float = 0.0


@dataclass(frozen=True, slots=True)
class RecordedChain:
    timestamp_ns: int  # UTC, the newest row's
    rows: tuple[ChainRow, ...]

    def currencies(self) -> tuple[str, ...]:
        return tuple(sorted({row.currency for row in self.rows}))


def read_chain(path: str | Path) -> RecordedChain:
    """Returns the chain in a file. Raises ChainError, and nothing else, on any that is not one."""
    path = Path(path)
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8", newline="") as lines:
            return _parse(path.name, lines)
    except ChainError:
        raise
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise ChainError(f"{path.name}: {error}") from error


def _parse(name: str, lines: Iterable[str]) -> RecordedChain:
    reader = csv.DictReader(lines)
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise ChainError(f"{name}: no column {', '.join(missing)}")
    rows: list[ChainRow] = []
    seen: set[str] = set()
    timestamp_ns = 0
    for fields in reader:
        place = f"{name} line {reader.line_num}"
        if len(rows) == ROWS_MAX:
            raise ChainError(f"{place}: more than {ROWS_MAX} rows")
        if None in fields or None in fields.values():
            raise ChainError(f"{place}: has not as many fields as the header")
        row = _row(place, fields)
        if row.instrument_name in seen:
            raise ChainError(f"{place}: {row.instrument_name} a second time")
        seen.add(row.instrument_name)
        rows.append(row)
        timestamp_ns = max(timestamp_ns, _time_ns(place, fields, "timestamp"))
    if not rows:
        raise ChainError(f"{name}: no rows")
    return RecordedChain(timestamp_ns=timestamp_ns, rows=tuple(rows))


def _row(place: str, fields: dict[str, str]) -> ChainRow:
    kind = fields["option_type"]
    if kind not in ("call", "put"):
        raise ChainError(f"{place}: option_type was {kind!r}, not call or put")
    return ChainRow(
        instrument_name=_text(place, fields, "instrument_name"),
        currency=_text(place, fields, "currency"),
        expiry_ns=_time_ns(place, fields, "expiry_datetime"),
        strike_usd=_positive(place, fields, "strike"),
        is_call=kind == "call",
        forward_usd=_positive(place, fields, "underlying"),
        index_usd=_positive(place, fields, "index_price"),
        bid_coin=_price(place, fields, "bid_price"),
        ask_coin=_price(place, fields, "ask_price"),
        mark_coin=_price(place, fields, "mark_price"),
        mark_vol=_price(place, fields, "implied_volatility"),
        future_usd=_price(place, fields, "futures_price"),
        future_name=fields["futures_instrument_name"].strip(),
        delta=_number(place, fields, "delta") if fields.get("delta") else None,
        open_interest=_number(place, fields, "open_interest") if fields.get("open_interest") else 0,
    )


def _text(place: str, fields: dict[str, str], column: str) -> str:
    text = fields[column].strip()
    if not text:
        raise ChainError(f"{place}: {column} was empty")
    return text


def _number(place: str, fields: dict[str, str], column: str) -> float:
    try:
        value = float(fields[column])
    except ValueError as error:
        raise ChainError(f"{place}: {column} was {fields[column]!r}") from error
    if not math.isfinite(value):
        raise ChainError(f"{place}: {column} was {value}")
    return value


def _positive(place: str, fields: dict[str, str], column: str) -> float:
    value = _number(place, fields, column)
    if value <= 0.0:
        raise ChainError(f"{place}: {column} was {value}, not above 0")
    return value


def _price(place: str, fields: dict[str, str], column: str) -> float | None:
    """Returns a price or volatility; None where the field is empty or 0."""
    if not fields[column].strip():
        return None
    value = _number(place, fields, column)
    if value < 0.0:
        raise ChainError(f"{place}: {column} was {value}, below 0")
    return value or None


def _time_ns(place: str, fields: dict[str, str], column: str) -> int:
    """Returns UTC nanoseconds, exact: never through a float."""
    try:
        moment = datetime.fromisoformat(fields[column])
    except ValueError as error:
        raise ChainError(f"{place}: {column} was {fields[column]!r}") from error
    if moment.tzinfo is None:
        raise ChainError(f"{place}: {column} has no time zone")
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    if since <= timedelta(0):
        raise ChainError(f"{place}: {column} was before 1970")
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
