"""The exchange: the matching book, and what follows from each of its events (money, fees, tape,
orders' states, market-maker protection)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from native.book import SELF_CANCEL, TRADE, Book
from services.venue.accounts import accounts as money
from services.venue.accounts.accounts import Accounts
from services.venue.market.marks import Marks
from services.venue.matching.candles import Candles
from services.venue.matching.history import History, Party, Trade
from services.venue.matching.mmp import Group, Groups
from services.venue.matching.orders import BUY, Order, Orders
from services.venue.matching.price_grid import coins_of
from shared.clock import NS_PER_MS
from shared.messages.market import Instrument
from shared.units import E8, amount_from_lots, price_from_ticks

OWNER_MAX = 256
GROUP_MAX = 512
# Contracts that may be listed after the opening: some five weeks of two underlyings. The books
# stand in one block of memory, which cannot grow.
LISTED_MAX = 4096


@dataclass(slots=True)
class News:
    """What happened since the channels were last fed."""

    trades: list[Trade] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)  # last state, in order of first change
    accounts: set[tuple[int, str]] = field(default_factory=set)  # account, currency
    mmp_triggers: list[tuple[int, Group]] = field(default_factory=list)
    instrument_states: list[tuple[int, str]] = field(default_factory=list)


class Exchange:
    """Matching, money and states of one venue. Instruments are known by their index."""

    def __init__(
        self,
        instruments: list[Instrument],
        currencies: tuple[str, ...],
        marks: Marks,
        *,
        created_ns: Sequence[int],
        order_max: int,
    ) -> None:
        self.instruments = list(instruments)
        self.currencies = currencies
        self.index_of = {instrument.name: i for i, instrument in enumerate(instruments)}
        self.created_ns = list(created_ns)
        self.states = ["open"] * len(instruments)
        self.closed: NDArray[np.bool_] | None = None  # (instrument,), once something expired
        self.marks = marks
        self.book = Book(len(instruments) + LISTED_MAX, order_max, OWNER_MAX, GROUP_MAX)
        self.accounts = Accounts(instruments, currencies)
        self.orders = Orders()
        self.history = History(len(instruments), currencies, self._is_user)
        self.candles = Candles()
        self.news = News()
        self.groups: dict[int, Groups] = {}
        self.settling_until_ns = dict.fromkeys(currencies, 0)
        self.quotes_frozen_until_ns: dict[int, int] = {}
        self._book_groups: dict[tuple[int, str], int] = {}
        self.on_trade: Callable[[Trade, int], None] = lambda _trade, _maker_left_lots: None

    def book_group(self, account_id: int, name: str) -> int:
        """Returns the number of an account's quote group in the book."""
        key = (account_id, name)
        number = self._book_groups.get(key)
        if number is None:
            number = self._book_groups[key] = len(self._book_groups)
            assert number < GROUP_MAX
        return number

    def groups_of(self, account_id: int) -> Groups:
        return self.groups.setdefault(account_id, Groups())

    def is_settling(self, currency: str, now_ns: int) -> bool:
        return now_ns < self.settling_until_ns[currency]

    def _is_user(self, account_id: int) -> bool:
        return self.accounts.get(account_id).is_user

    def settle_events(self, now_ns: int) -> list[Trade]:
        """Books everything the matching engine has done since the last call; returns the trades.

        Groups whose protection was breached are pulled afterwards: what the engine has matched
        before that stands.
        """
        events = self.book.drain_events()
        if not len(events):
            return []
        trades: list[Trade] = []
        breached: list[tuple[int, Group]] = []
        for event in events.tolist():
            kind = event[7]
            if kind == TRADE:
                trade = self._on_trade(event, now_ns, breached)
                trades.append(trade)
                self.on_trade(trade, event[5])
            elif kind == SELF_CANCEL:
                self._on_self_cancel(event, now_ns)
        self.news.trades.extend(trades)
        for account_id, group in breached:
            self.news.mmp_triggers.append((account_id, group))
            self.pull_group(account_id, group, now_ns)
        for trade in trades:
            for party in trade.parties:
                self._curtail(party.account_id, trade.index, now_ns)
        return trades

    @property
    def room_count(self) -> int:
        """How many more contracts can be listed."""
        return self.book.instrument_max - len(self.instruments)

    def add_contracts(self, instruments: Sequence[Instrument], now_ns: int) -> None:
        """Begins trading in more contracts; they follow on those known."""
        assert len(instruments) <= self.room_count
        first, more = len(self.instruments), len(instruments)
        self.instruments.extend(instruments)
        self.index_of.update({one.name: first + at for at, one in enumerate(instruments)})
        self.created_ns.extend([now_ns] * more)
        self.states.extend(["open"] * more)
        if self.closed is not None:
            self.closed = np.append(self.closed, np.zeros(more, dtype=np.bool_))
        self.accounts.add_contracts(instruments)
        self.history.add_contracts(more)
        for state in ("created", "started"):
            self.news.instrument_states.extend((first + at, state) for at in range(more))

    def close(self, index: int) -> None:
        """Ends trading in an instrument: nothing is left in its book."""
        self.states[index] = "closed"
        if self.closed is None:
            self.closed = np.zeros(len(self.instruments), dtype=np.bool_)
        self.closed[index] = True
        for account in self.accounts.all():
            self.book.cancel_owner(account.account_id, index)
        self.news.instrument_states.append((index, "closed"))

    def cancel(self, order: Order, reason: str, now_ns: int) -> None:
        """Takes an order or quote of an account off the book, if it rests, and ends it."""
        assert order.is_live
        book_id = order.book_id
        if book_id:
            self.book.cancel(book_id)
        self.end(order, "cancelled", reason, now_ns)

    def end(self, order: Order, state: str, reason: str, now_ns: int) -> None:
        """Ends an order that does not rest in the book any more."""
        order.state = state
        order.cancel_reason = reason
        order.updated_ns = now_ns
        self.orders.end(order)
        self.news.orders[order.order_id] = order

    def pull_group(self, account_id: int, group: Group, now_ns: int) -> None:
        """Cancels the quotes and protected orders of a group, because of its protection."""
        mine = (*self.orders.quotes(account_id), *self.orders.live(account_id))
        for order in mine:
            is_member = order.is_mmp and order.mmp_group == group.name
            if is_member and self.price_index(order.index) == group.index_name:
                order.is_mmp_cancelled = True
                self.cancel(order, "mmp_trigger", now_ns)

    def price_index(self, index: int) -> str:
        return f"{self.instruments[index].underlying.lower()}_usd"

    def _on_trade(
        self, event: tuple[Any, ...], now_ns: int, breached: list[tuple[int, Group]]
    ) -> Trade:
        (
            _,
            maker_order,
            taker_order,
            price_ticks,
            lots,
            _,
            _,
            _,
            index,
            side,
            maker,
            taker,
            _,
            _,
            _,
        ) = event
        instrument = self.instruments[index]
        currency = instrument.underlying
        buyer, seller = (taker, maker) if side == BUY else (maker, taker)
        realised = self._move(index, buyer, seller, lots, price_ticks)
        trade = self._record(instrument, event, now_ns)
        parties: list[Party] = []
        for account_id, order_id, is_maker, pnl in (
            (maker, maker_order, True, realised[0] if maker == buyer else realised[1]),
            (taker, taker_order, False, realised[0] if taker == buyer else realised[1]),
        ):
            fee = money.fee_e12(instrument, lots, price_ticks, is_maker=is_maker)
            if fee:
                self.accounts.charge(account_id, currency, fee)
            order = self.orders.by_book_id(order_id)
            if order is None:
                continue
            order.fill(lots, price_ticks, now_ns)
            if not order.is_live:
                self.orders.end(order, order_id)
            self.news.orders[order.order_id] = order
            self.news.accounts.add((account_id, currency))
            parties.append(_party(order, fee, is_maker, pnl))
            if order.is_mmp:
                self._protect(order, lots, trade, now_ns, breached)
        trade.parties = tuple(parties)
        self.history.add(trade, currency)
        return trade

    def _record(self, instrument: Instrument, event: tuple[Any, ...], now_ns: int) -> Trade:
        (_, _, _, price_ticks, lots, _, _, _, index, side, maker, taker, _, _, _) = event
        tape = self.history.tapes[index]
        tape.sequence += 1
        price = price_from_ticks(instrument, price_ticks)
        trade_id, number = self.history.next_trade_id(instrument.underlying)
        index_price = self.marks.index_usd(instrument.underlying)
        self._tally(index, lots, price, index_price, now_ns)
        return Trade(
            index=index,
            trade_id=trade_id,
            number=number,
            sequence=tape.sequence,
            at_ns=now_ns,
            side=side,
            price_ticks=price_ticks,
            lots=lots,
            tick_direction=tape.direction(price_ticks),
            mark_price=self.marks.mark_now(index, now_ns),
            index_price=index_price,
            underlying_price=self.marks.forward_usd(index),
            vol=self.marks.implied_vol(index, price, now_ns),
            taker=taker,
            maker=maker,
        )

    def replay(self, trade: Trade) -> None:
        """Books a remembered trade once more: money, fees, tape; orders are remembered apart."""
        index, lots, price_ticks = trade.index, trade.lots, trade.price_ticks
        instrument = self.instruments[index]
        sides = (trade.taker, trade.maker) if trade.side == BUY else (trade.maker, trade.taker)
        self._move(index, *sides, lots, price_ticks)
        for account_id, is_maker in ((trade.maker, True), (trade.taker, False)):
            fee = money.fee_e12(instrument, lots, price_ticks, is_maker=is_maker)
            self.accounts.charge(account_id, instrument.underlying, fee)
        tape = self.history.tapes[index]
        tape.sequence = trade.sequence
        tape.last_ticks, tape.tick_direction = price_ticks, trade.tick_direction
        price = price_from_ticks(instrument, price_ticks)
        self._tally(index, lots, price, trade.index_price, trade.at_ns)
        self.history.resume(trade.number, instrument.underlying)
        self.history.add(trade, instrument.underlying)

    def _move(
        self, index: int, buyer: int, seller: int, lots: int, price_ticks: int
    ) -> tuple[int, int]:
        """Moves a trade's position and value, and follows the open interest."""
        long_before = self._long(buyer, index) + self._long(seller, index)
        realised = self.accounts.trade(index, buyer, seller, lots, price_ticks)
        self.history.tapes[index].open_interest_lots += (
            self._long(buyer, index) + self._long(seller, index) - long_before
        )
        return realised

    def _tally(self, index: int, lots: int, price: float, index_price: float, now_ns: int) -> None:
        """Counts a trade in its instrument's candles and day."""
        instrument = self.instruments[index]
        coin = coins_of(instrument, lots, price)
        usd = coin * index_price * price if instrument.kind == "option" else coin * price
        amount = amount_from_lots(instrument, lots)
        cost = amount * price if instrument.kind == "option" else amount
        self.candles.on_trade(index, now_ns // NS_PER_MS, price, coin, cost)
        self.history.tapes[index].count(now_ns, price, coin, usd)

    def _curtail(self, account_id: int, index: int, now_ns: int) -> None:
        """Keeps resting reduce-only orders within the position, which has just changed."""
        for order in self.orders.live(account_id):
            if not order.is_reduce_only or order.index != index or not order.book_id:
                continue
            position = self.position_lots(account_id, index)
            room = max(0, -position if order.side == BUY else position)
            if not room:
                self.cancel(order, "reduce_only", now_ns)
            elif room < order.remaining_lots:
                order.lots = order.filled_lots + room
                order.updated_ns = now_ns
                self.book.amend(order.book_id, order.price_ticks, room)
                self.news.orders[order.order_id] = order

    def _on_self_cancel(self, event: tuple[Any, ...], now_ns: int) -> None:
        order = self.orders.by_book_id(event[1])
        if order is not None:
            self.end(order, "cancelled", "self_trade_prevention", now_ns)

    def _protect(
        self,
        order: Order,
        lots: int,
        trade: Trade,
        now_ns: int,
        breached: list[tuple[int, Group]],
    ) -> None:
        """Counts a protected order's trade in its group's window."""
        group = self.groups_of(order.account_id).find(
            self.price_index(order.index), order.mmp_group
        )
        if group is None:
            return
        instrument = self.instruments[order.index]
        coins = coins_of(instrument, lots, trade.mark_price)
        sign = 1.0 if order.side == BUY else -1.0
        delta, vega = self.marks.trade_greeks(order.index, now_ns)
        if group.on_trade(coins, sign * coins * delta, sign * coins * vega, now_ns):
            breached.append((order.account_id, group))

    def _long(self, account_id: int, index: int) -> int:
        wallet = self.accounts.get(account_id).wallets[self.instruments[index].underlying]
        position = wallet.positions.get(index)
        return max(0, position.lots) if position is not None else 0

    def position_lots(self, account_id: int, index: int) -> int:
        wallet = self.accounts.get(account_id).wallets[self.instruments[index].underlying]
        position = wallet.positions.get(index)
        return position.lots if position is not None else 0

    def open_interest(self, index: int) -> float:
        lots = self.history.tapes[index].open_interest_lots
        return lots * self.instruments[index].lot_e8 / E8


def _party(order: Order, fee_e12: int, is_maker: bool, realised_e12: int) -> Party:
    return Party(
        account_id=order.account_id,
        order_id=order.order_id,
        order_type=order.order_type,
        label=order.label,
        fee_e12=fee_e12,
        is_maker=is_maker,
        is_mmp=order.is_mmp,
        is_quote=order.is_quote,
        quote_id=order.quote_id,
        quote_set_id=order.quote_set_id,
        is_reduce_only=order.is_reduce_only,
        is_post_only=order.is_post_only,
        state=order.state,
        realised_e12=realised_e12,
    )
