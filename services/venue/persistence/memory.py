"""What a venue must remember to come back from a sudden end: collected here, written by the shell
before anything of it is acknowledged or published.

A log is lines of JSON: one checkpoint, then a batch for each input that traded or changed an order,
and one a second. Books, quotes and connections are not remembered, as after any venue's restart;
the market's paths follow from the seed and the time.
"""

from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from services.venue.accounts.accounts import Account
from services.venue.core import Venue
from services.venue.market.new_expiries import Listing
from services.venue.matching.candles import Bar
from services.venue.matching.exchange import News
from services.venue.matching.history import Hour, Party, Trade
from services.venue.matching.orders import Order
from shared.clock import NS_PER_MS, NS_PER_S

LOG_BYTES_MAX = 8 << 20  # after a checkpoint; then there is another
BARS_KEPT_MS = 4 * 3_600_000
Row = tuple[Any, ...]

_trade_fields = attrgetter(*[name for name in Trade.__slots__ if name != "parties"])
_party_fields = attrgetter(*Party.__slots__)
_order_fields = attrgetter(*Order.__slots__)


class TapeState(msgspec.Struct, frozen=True, array_like=True):
    """One instrument's tape without its trades."""

    index: int
    sequence: int
    last_ticks: int
    tick_direction: int
    open_interest_lots: int
    hours: list[Hour]


class SettlementState(msgspec.Struct, frozen=True):
    next_ns: int
    settling_until_ns: dict[str, int]
    closed: list[int]  # instruments
    samples: dict[str, list[tuple[int, float]]]
    vols: dict[str, list[tuple[int, float]]]  # the volatility index
    delivered: dict[str, list[dict[str, Any]]]
    public_events: list[dict[str, Any]]
    account_events: dict[int, list[dict[str, Any]]]
    settlement_prices: dict[int, float]
    delivery_prices: dict[int, float]


class Checkpoint(msgspec.Struct, frozen=True, tag="checkpoint"):
    """Everything, between two inputs."""

    opened_ns: int
    now_ns: int
    premiums: list[float]
    order_count: int
    trade_count: int
    trade_counts: dict[str, int]
    accounts: list[Account]
    tapes: list[TapeState]
    bars: dict[int, list[Bar]]
    trades: list[Row]
    orders: list[Row]
    settlement: SettlementState
    listings: list[Listing] = []  # what came to stand listed since the opening


class Batch(msgspec.Struct, frozen=True, tag="batch", omit_defaults=True):
    """What one input changed; once a second with where the market stands."""

    now_ns: int
    order_count: int
    trades: list[Row] = []
    orders: list[Row] = []
    premiums: list[float] = []
    index_usd: dict[str, float] = {}
    vols: dict[str, tuple[int, float]] = {}  # the last of the volatility index


class Record(NamedTuple):
    """One line of the log. A checkpoint takes the place of all before it."""

    line: bytes
    is_checkpoint: bool


class Memory:
    """Collects what happens at one venue."""

    def __init__(self, venue: Venue, opened_ns: int) -> None:
        self._venue = venue
        self._opened_ns = opened_ns
        self._trades: list[Row] = []
        self._orders: list[Row] = []
        self._second = 0
        self._settlement_ns = -1  # of the next one, at the last checkpoint
        self._log_bytes = 0
        venue.on_news = self._on_news

    def take(self, now_ns: int) -> Record | None:
        """Returns what must be written before the outputs of an input are sent, if anything."""
        is_second = now_ns // NS_PER_S != self._second
        settlement_ns = self._venue.floor.settlement.next_ns
        if settlement_ns != self._settlement_ns or self._log_bytes > LOG_BYTES_MAX:
            self._settlement_ns, self._log_bytes = settlement_ns, 0
            self._trades, self._orders = [], []
            return Record(_line(checkpoint(self._venue, self._opened_ns, now_ns)), True)
        if not self._trades and not self._orders and not is_second:
            return None
        self._second = now_ns // NS_PER_S
        line = _line(self._batch(now_ns, is_second))
        self._trades, self._orders = [], []
        self._log_bytes += len(line)
        return Record(line, False)

    def _on_news(self, news: News) -> None:
        self._trades.extend(trade_row(trade) for trade in news.trades)
        for order in news.orders.values():
            if not order.is_quote or (order.filled_lots and not order.is_live):
                self._orders.append(_order_fields(order))

    def _batch(self, now_ns: int, is_second: bool) -> Batch:
        venue = self._venue
        exchange = venue.exchange
        batch = Batch(now_ns, exchange.orders.id_count, self._trades, self._orders)
        if not is_second:
            return batch
        vols = venue.floor.settlement.vols
        return msgspec.structs.replace(
            batch,
            premiums=venue.market.premiums(),
            index_usd={c: exchange.marks.index_usd(c) for c in exchange.currencies},
            vols={currency: seen[-1] for currency, seen in vols.items() if seen},
        )


def trade_row(trade: Trade) -> Row:
    return (*_trade_fields(trade), [_party_fields(party) for party in trade.parties])


def trade_of(row: Row) -> Trade:
    parties = tuple(Party(*party) for party in row[-1])
    return Trade(*(*row[:-1], parties))


def checkpoint(venue: Venue, opened_ns: int, now_ns: int) -> Checkpoint:
    """Returns all that is remembered of a venue now."""
    exchange = venue.exchange
    history, orders = exchange.history, exchange.orders
    since_ms = now_ns // NS_PER_MS - BARS_KEPT_MS
    return Checkpoint(
        opened_ns=opened_ns,
        now_ns=now_ns,
        premiums=venue.market.premiums(),
        order_count=orders.id_count,
        trade_count=history.trade_count,
        trade_counts=history.trade_counts,
        accounts=list(exchange.accounts.all()),
        tapes=[
            TapeState(
                index, tape.sequence, tape.last_ticks, tape.tick_direction,
                tape.open_interest_lots, list(tape.hours),
            )
            for index, tape in enumerate(history.tapes)
        ],
        bars={
            index: [bar for bar in bars if bar.tick_ms >= since_ms]
            for index, bars in exchange.candles.rows().items()
        },
        trades=_kept_trades(venue),
        orders=[_order_fields(order) for order in orders.remembered()],
        settlement=_settlement(venue),
        listings=venue.market.listings,
    )  # fmt: skip


def _settlement(venue: Venue) -> SettlementState:
    exchange, settlement, views = venue.exchange, venue.floor.settlement, venue.floor.views
    return SettlementState(
        next_ns=settlement.next_ns,
        settling_until_ns=exchange.settling_until_ns,
        closed=[index for index, state in enumerate(exchange.states) if state != "open"],
        samples={currency: list(samples) for currency, samples in settlement.samples.items()},
        vols={currency: list(vols) for currency, vols in settlement.vols.items()},
        delivered=settlement.delivered,
        public_events=settlement.public_events,
        account_events={key: list(rows) for key, rows in settlement.account_events.items()},
        settlement_prices=views.settlement_prices,
        delivery_prices=views.delivery_prices,
    )


def _kept_trades(venue: Venue) -> list[Row]:
    """Returns the users' own trades and the last of everybody's, oldest first."""
    history = venue.exchange.history
    kept: dict[int, Trade] = {}
    for trades in history.by_currency.values():
        kept |= {trade.number: trade for trade in trades}
    for mine in history.by_account.values():
        for trade, _ in mine:
            kept[trade.number] = trade
    return [trade_row(kept[number]) for number in sorted(kept)]


def _line(record: Checkpoint | Batch) -> bytes:
    return msgspec.json.encode(record) + b"\n"
