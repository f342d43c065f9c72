"""The tape: trades, last prices, day statistics and open interest of every instrument."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

import numpy as np

from services.venue.matching.orders import DIRECTIONS, contracts
from shared.clock import NS_PER_MS, NS_PER_S
from shared.messages.market import Instrument
from shared.units import amount_from_lots, price_from_ticks

TRADES_MAX = 2_000  # kept per currency
USER_TRADES_MAX = 20_000  # kept per account that can log in
HOUR_NS = 3_600 * NS_PER_S
HOURS = 24
FIRST_NUMBER = 10_000_000


@dataclass(slots=True)
class Party:
    """One side of a trade, as its own account sees it."""

    account_id: int
    order_id: str
    order_type: str
    label: str
    fee_e12: int
    is_maker: bool
    is_mmp: bool
    is_quote: bool
    quote_id: str
    quote_set_id: str
    is_reduce_only: bool
    is_post_only: bool
    state: str
    realised_e12: int


@dataclass(slots=True)
class Trade:
    """One trade. `side` is the taker's."""

    index: int
    trade_id: str
    number: int  # of the venue, growing
    sequence: int  # of the instrument
    at_ns: int
    side: int
    price_ticks: int
    lots: int
    tick_direction: int
    mark_price: float
    index_price: float
    underlying_price: float
    vol: float  # implied by the price, as a fraction; 0 for futures
    taker: int
    maker: int
    parties: tuple[Party, ...] = ()  # those that may log in

    def wire(self, instrument: Instrument) -> dict[str, Any]:
        """Returns the trade as anybody sees it."""
        body: dict[str, Any] = {
            "trade_seq": self.sequence,
            "trade_id": self.trade_id,
            "timestamp": self.at_ns // NS_PER_MS,
            "tick_direction": self.tick_direction,
            "price": price_from_ticks(instrument, self.price_ticks),
            "mark_price": self.mark_price,
            "instrument_name": instrument.name,
            "index_price": self.index_price,
            "direction": DIRECTIONS[self.side],
            "contracts": contracts(instrument, self.lots),
            "amount": amount_from_lots(instrument, self.lots),
        }
        if instrument.kind == "option":
            body["iv"] = round(100 * self.vol, 2)
        return body

    def wire_of(self, instrument: Instrument, party: Party) -> dict[str, Any]:
        """Returns the trade as one of its parties sees it."""
        body = self.wire(instrument)
        body["direction"] = DIRECTIONS[1 - self.side if party.is_maker else self.side]
        body["order_id"] = party.order_id
        body["order_type"] = party.order_type
        body["state"] = party.state
        body["liquidity"] = "M" if party.is_maker else "T"
        body["fee"] = party.fee_e12 / 1e12
        body["fee_currency"] = instrument.underlying
        body["label"] = party.label
        body["matching_id"] = None
        body["self_trade"] = False
        body["risk_reducing"] = False
        body["reduce_only"] = party.is_reduce_only
        body["post_only"] = party.is_post_only
        body["api"] = True
        body["mmp"] = party.is_mmp
        body["profit_loss"] = party.realised_e12 / 1e12
        if instrument.kind == "option":
            body["underlying_price"] = self.underlying_price
        if party.is_quote:
            body["quote_id"] = party.quote_id
            body["quote_set_id"] = party.quote_set_id
        return body


_PUBLIC = (
    ("index", "i4"), ("number", "i8"), ("sequence", "i8"), ("at_ns", "i8"), ("side", "i1"),
    ("price_ticks", "i8"), ("lots", "i8"), ("tick_direction", "i1"), ("mark_price", "f8"),
    ("index_price", "f8"), ("underlying_price", "f8"), ("vol", "f8"), ("taker", "i4"),
    ("maker", "i4"),
)  # fmt: skip
_public = attrgetter(*[name for name, _ in _PUBLIC])


class TradeRing:
    """The last trades of one currency without their parties, oldest first: flat rows, in memory
    that is taken when the venue opens."""

    def __init__(self, currency: str) -> None:
        self._currency = currency
        self._rows = np.empty(TRADES_MAX, dtype=list(_PUBLIC))
        self._rows.fill(0)
        self._count = 0  # of all that ever came

    def append(self, trade: Trade) -> None:
        self._rows[self._count % TRADES_MAX] = _public(trade)
        self._count += 1

    def __iter__(self) -> Iterator[Trade]:
        return self._trades(self._ordered())

    def of_instrument(self, index: int) -> list[Trade]:
        rows = self._ordered()
        return list(self._trades(rows[rows["index"] == index]))

    def _ordered(self) -> Any:
        if self._count <= TRADES_MAX:
            return self._rows[: self._count]
        return np.roll(self._rows, -(self._count % TRADES_MAX))

    def _trades(self, rows: Any) -> Iterator[Trade]:
        for index, number, *rest in rows.tolist():
            yield Trade(index, trade_id_of(self._currency, number), number, *rest)


def trade_id_of(currency: str, number: int) -> str:
    return str(number) if currency == "BTC" else f"{currency}-{number}"


@dataclass(slots=True)
class Hour:
    hour: int
    open: float
    high: float
    low: float
    coin: float = 0.0
    usd: float = 0.0


@dataclass(slots=True)
class Tape:
    """What follows from one instrument's trades; History keeps the trades."""

    sequence: int = 0
    last_ticks: int = 0
    tick_direction: int = 0
    open_interest_lots: int = 0
    hours: deque[Hour] = field(default_factory=lambda: deque(maxlen=HOURS + 1))
    _stats: dict[str, Any] = field(default_factory=dict)
    _stats_at: tuple[int, int] = (-1, -1)  # sequence and hour that they hold for

    def direction(self, price_ticks: int) -> int:
        """Returns plus tick 0, zero-plus 1, minus 2, zero-minus 3, and remembers the price."""
        if price_ticks > self.last_ticks:
            self.tick_direction = 0
        elif price_ticks < self.last_ticks:
            self.tick_direction = 2
        else:
            self.tick_direction |= 1
        self.last_ticks = price_ticks
        return self.tick_direction

    def count(self, now_ns: int, price: float, coin: float, usd: float) -> None:
        hour = now_ns // HOUR_NS
        if not self.hours or self.hours[-1].hour != hour:
            self.hours.append(Hour(hour, price, price, price))
        last = self.hours[-1]
        last.high = max(last.high, price)
        last.low = min(last.low, price)
        last.coin += coin
        last.usd += usd

    def stats(self, now_ns: int, last_price: float) -> dict[str, Any]:
        """Returns high, low, price change and volumes over the last day; null without trades."""
        at = (self.sequence, now_ns // HOUR_NS)
        if at != self._stats_at:
            self._stats = self._day(at[1] - HOURS, last_price)
            self._stats_at = at
        return dict(self._stats)

    def _day(self, since: int, last_price: float) -> dict[str, Any]:
        while self.hours and self.hours[0].hour < since:
            self.hours.popleft()
        if not self.hours:
            return {
                "high": None, "low": None, "price_change": None,
                "volume": 0.0, "volume_usd": 0.0,
            }  # fmt: skip
        first = self.hours[0].open
        return {
            "high": max(hour.high for hour in self.hours),
            "low": min(hour.low for hour in self.hours),
            "price_change": round(100 * (last_price / first - 1), 4) if first else 0.0,
            "volume": round(sum(hour.coin for hour in self.hours), 8),
            "volume_usd": round(sum(hour.usd for hour in self.hours), 2),
        }


class History:
    """All tapes, and the trades of each currency and of each user's account in order."""

    def __init__(
        self, count: int, currencies: tuple[str, ...], is_user: Callable[[int], bool]
    ) -> None:
        self._is_user = is_user
        self.tapes = [Tape() for _ in range(count)]
        self.by_currency = {currency: TradeRing(currency) for currency in currencies}
        self.by_account: dict[int, deque[tuple[Trade, Party]]] = {}
        self.trade_count = 0
        self.trade_counts = dict.fromkeys(currencies, 0)

    def add_contracts(self, count: int) -> None:
        """So many more instruments follow on those known."""
        self.tapes.extend(Tape() for _ in range(count))

    def next_trade_id(self, currency: str) -> tuple[str, int]:
        self.trade_count += 1
        self.trade_counts[currency] += 1
        number = FIRST_NUMBER + self.trade_count
        return trade_id_of(currency, number), number

    def resume(self, number: int, currency: str) -> None:
        """Counts a remembered trade: its id is not given again."""
        self.trade_count = number - FIRST_NUMBER
        self.trade_counts[currency] += 1

    def of_instrument(self, index: int, currency: str) -> list[Trade]:
        """Returns an instrument's trades among those kept, oldest first."""
        return self.by_currency[currency].of_instrument(index)

    def add(self, trade: Trade, currency: str) -> None:
        self.by_currency[currency].append(trade)
        for party in trade.parties:
            if not self._is_user(party.account_id):
                continue  # nobody can ask for the crowd's
            mine = self.by_account.get(party.account_id)
            if mine is None:
                mine = self.by_account[party.account_id] = deque(maxlen=USER_TRADES_MAX)
            mine.append((trade, party))
