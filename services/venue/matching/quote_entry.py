"""Mass quotes: up to 100 two-sided quotes of one MMP group in one request, by Deribit's rules.

Each side stands for itself. A new quote replaces the old one; price or amount alone may change;
amount 0 cancels; a side that is refused takes its resting quote away. The same quote again loses
its place in the queue, a smaller one or another quote_set_id keeps it (hr_book.h).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from native.book import ERR_WOULD_CROSS, QUOTE, UNTOUCHED_LOTS
from services.venue.accounts.margin import Margin
from services.venue.errors import VenueError, invalid
from services.venue.matching.exchange import Exchange
from services.venue.matching.history import Trade
from services.venue.matching.mmp import Group
from services.venue.matching.order_entry import OrderEntry
from services.venue.matching.orders import BUY, SELL, Order
from services.venue.matching.price_grid import amount_to_lots, coins_of, price_to_ticks
from services.venue.matching.quote_filter import quote_filter
from services.venue.rpc.parameters import Params, number_of

QUOTES_MAX = 100
FREEZE_NS = 1_000_000_000
SIDES = (("bid", BUY), ("ask", SELL))


@dataclass(slots=True)
class Side:
    """One side of one quote on its way into the book."""

    index: int
    side: int
    lots: int
    price_ticks: int
    quote_set_id: str
    is_post_only: bool
    is_reject: bool = True
    is_touching_book: bool = True


@dataclass(frozen=True, slots=True)
class Batch:
    """What the sides of one submission share."""

    account_id: int
    connection_id: int
    group: Group
    quote_id: str
    is_post_only: bool
    now_ns: int


@dataclass(slots=True)
class Report:
    errors: list[dict[str, Any]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)


class QuoteEntry:
    """Takes mass quotes and cancels them."""

    def __init__(self, exchange: Exchange, margin: Margin, entry: OrderEntry) -> None:
        self._exchange = exchange
        self._margin = margin
        self._entry = entry

    def mass_quote(
        self, account_id: int, connection_id: int, params: Params, now_ns: int
    ) -> Report:
        """Replaces the quotes named in a request; what is wrong with one side stops no other."""
        group = self._group(account_id, params, now_ns)
        quote_id = params.text("quote_id", length_max=64)
        report = Report()
        rows: dict[int, list[Side]] = {}
        is_solvent = self._margin.available(account_id, group.index_name[:3].upper()) > 0
        for item in self._items(params):
            self._read_quote(account_id, group, item, rows, report, now_ns, is_solvent)
        self._enter(account_id, connection_id, group, quote_id, rows, report, now_ns)
        return report

    def cancel_quotes(self, account_id: int, params: Params, now_ns: int) -> list[Order]:
        """Cancels the quotes that a request describes; `freeze_quotes` refuses new ones for 1 s."""
        matches = quote_filter(self._exchange, params)
        ended = [order for order in self._exchange.orders.quotes(account_id) if matches(order)]
        for order in ended:
            self._exchange.cancel(order, "user_request", now_ns)
        if params.boolean("freeze_quotes"):
            self.freeze(account_id, now_ns)
        return ended

    def freeze(self, account_id: int, now_ns: int) -> None:
        self._exchange.quotes_frozen_until_ns[account_id] = now_ns + FREEZE_NS

    def _group(self, account_id: int, params: Params, now_ns: int) -> Group:
        name = params.text("mmp_group", length_max=64)
        groups = self._exchange.groups_of(account_id).select("all", name)
        if not groups:
            raise VenueError(13040, data={"reason": "mmp_group is not configured"})
        if now_ns < self._exchange.quotes_frozen_until_ns.get(account_id, 0):
            raise VenueError(13043)
        group = groups[0]
        if len(groups) > 1:  # one name on two indices: the first quote decides
            items = self._items(params)
            index = self._exchange.index_of.get(items[0].get("instrument_name", ""), -1)
            wanted = self._exchange.price_index(index) if index >= 0 else ""
            group = next((g for g in groups if g.index_name == wanted), group)
        if group.is_frozen(now_ns):
            raise VenueError(13030)
        if self._exchange.is_settling(group.index_name[:3].upper(), now_ns):
            raise VenueError(10041)
        return group

    def _items(self, params: Params) -> list[dict[str, Any]]:
        items = params.values.get("quotes")
        if not isinstance(items, list) or not items:
            raise invalid("quotes", "must be an array of quotes")
        if len(items) > QUOTES_MAX:
            raise invalid("quotes", f"at most {QUOTES_MAX}")
        if not all(isinstance(item, dict) for item in items):
            raise invalid("quotes", "must be an array of objects")
        return items

    def _read_quote(
        self,
        account_id: int,
        group: Group,
        item: dict[str, Any],
        rows: dict[int, list[Side]],
        report: Report,
        now_ns: int,
        is_solvent: bool,
    ) -> None:
        """Reads both sides of one quote into rows for the book, or into errors."""
        name = item.get("instrument_name")
        index = self._exchange.index_of.get(name, -1) if isinstance(name, str) else -1
        sides: list[Side] = []
        is_known = index >= 0 and self._exchange.price_index(index) == group.index_name
        closed = self._closed(index, now_ns) if is_known else None
        for word, side in SIDES:
            wanted = item.get(word)
            if wanted is None:
                continue
            try:
                if not is_known:
                    raise VenueError(10020)  # noqa: TRY301 - each side has its own answer
                if not isinstance(wanted, dict):
                    raise invalid(word, "must be an object")
                if closed is not None:
                    raise closed
                if index in rows:
                    reason = {"reason": "one quote an instrument"}
                    raise VenueError(11029, data=reason)  # noqa: TRY301
                sides.append(
                    self._read_side(account_id, group, index, side, wanted, item, is_solvent)
                )
            except VenueError as error:
                report.errors.append(
                    {"instrument_name": str(name), "side": word, "error": error.wire()}
                )
                if is_known and index not in rows:
                    sides.append(Side(index, side, 0, 0, "", False))
        if len(sides) == 2 and sides[0].lots and sides[1].lots:
            self._refuse_crossed(str(name), sides, report)
        if sides:
            rows[index] = sides

    def _closed(self, index: int, now_ns: int) -> VenueError | None:
        """Returns why an instrument takes no quotes now."""
        try:
            self._entry.check_open(index, now_ns)
        except VenueError as error:
            return error
        return None

    def _read_side(
        self,
        account_id: int,
        group: Group,
        index: int,
        side: int,
        wanted: dict[str, Any],
        item: dict[str, Any],
        is_solvent: bool,
    ) -> Side:
        exchange = self._exchange
        instrument = exchange.instruments[index]
        old = exchange.orders.quote(account_id, group.name, index, side)
        set_id = item.get("quote_set_id")
        set_id = old.quote_set_id if set_id is None and old else str(set_id or "")[:64]
        amount, price = wanted.get("amount"), wanted.get("price")
        if amount is not None and not (number := number_of("amount", amount)):
            return Side(index, side, 0, 0, set_id, False)
        if old is None and (amount is None or price is None):
            raise invalid("price" if price is None else "amount", "value required")
        if amount is not None:
            lots = amount_to_lots(instrument, number)
        else:
            assert old is not None
            lots = old.remaining_lots
        if price is not None:
            ticks = price_to_ticks(instrument, number_of("price", price))
        else:
            assert old is not None
            ticks = old.price_ticks
        is_post_only = _flag(wanted, "post_only")
        is_reject = _flag(wanted, "reject_post_only")
        self._entry.check_band(index, side, ticks)
        mark = exchange.marks.mark_price(index)
        if coins_of(instrument, lots, mark) > group.max_quote_quantity + 1e-9:
            raise VenueError(10022, "max_quote_quantity")
        if not is_solvent:
            raise VenueError(10009)
        result = Side(index, side, lots, ticks, set_id, is_post_only, is_reject)
        if old is not None and set_id != old.quote_set_id:
            is_same = lots == old.remaining_lots and ticks == old.price_ticks
            result.is_touching_book = not is_same
        return result

    def _refuse_crossed(self, name: str, sides: list[Side], report: Report) -> None:
        """A quote must not meet itself."""
        if sides[0].price_ticks < sides[1].price_ticks:
            return
        for (word, _), side in zip(SIDES, sides, strict=True):
            error = VenueError(10003).wire()
            report.errors.append({"instrument_name": name, "side": word, "error": error})
            side.lots = 0

    def _enter(
        self,
        account_id: int,
        connection_id: int,
        group: Group,
        quote_id: str,
        rows: dict[int, list[Side]],
        report: Report,
        now_ns: int,
    ) -> None:
        """Hands the sides to the book, those that must not take apart, and books the outcome."""
        for post_only in (True, False):
            chosen = [
                [side for side in sides if side.is_touching_book and side.is_post_only == post_only]
                for sides in rows.values()
            ]
            batch = Batch(account_id, connection_id, group, quote_id, post_only, now_ns)
            self._submit(batch, [sides for sides in chosen if sides], report)
        for sides in rows.values():
            for side in sides:
                if not side.is_touching_book:
                    self._relabel(account_id, group, quote_id, side, report)

    def _submit(self, batch: Batch, chosen: list[list[Side]], report: Report) -> None:
        """Quotes sides in the book. Where a passive one would take, and may be moved, it goes in
        again one step inside the other side: by then its own quote's other side has moved."""
        if not chosen:
            return
        table = np.zeros(len(chosen), dtype=QUOTE)
        table["bid_lots"] = table["ask_lots"] = UNTOUCHED_LOTS
        for at, sides in enumerate(chosen):
            row = table[at]
            row["instrument"] = sides[0].index
            for side in sides:
                word = "bid" if side.side == BUY else "ask"
                row[f"{word}_lots"] = side.lots
                row[f"{word}_ticks"] = side.price_ticks
        number = self._exchange.book_group(batch.account_id, batch.group.name)
        results = self._exchange.book.quote_batch(
            batch.account_id, number, table, post_only=batch.is_post_only
        )
        again: list[list[Side]] = []
        for sides, result in zip(chosen, results.tolist(), strict=True):
            bid_id, ask_id, bid_status, ask_status = result
            for side in sides:
                book_id, status = (bid_id, bid_status) if side.side == BUY else (ask_id, ask_status)
                self._track(batch, side, book_id, report)
                if status == ERR_WOULD_CROSS and not side.is_reject:
                    again.append([side])
                elif status:
                    report.errors.append(self._refused(side, status))
        report.trades.extend(self._exchange.settle_events(batch.now_ns))
        for sides in again:
            side = sides[0]
            side.is_reject = True
            try:
                side.price_ticks = self._entry.passive_price(
                    side.index, side.side, side.price_ticks, is_reject=False
                )
            except VenueError:
                report.errors.append(self._refused(side, ERR_WOULD_CROSS))
                continue
            self._submit(batch, [sides], report)

    def _relabel(
        self, account_id: int, group: Group, quote_id: str, side: Side, report: Report
    ) -> None:
        """Changes the quote_set_id alone: the quote keeps its place in the queue."""
        old = self._exchange.orders.quote(account_id, group.name, side.index, side.side)
        if old is not None:
            old.quote_set_id, old.quote_id = side.quote_set_id, quote_id
            report.orders.append(old)

    def _refused(self, side: Side, status: int) -> dict[str, Any]:
        error = VenueError(11054) if status == ERR_WOULD_CROSS else VenueError(10047)
        return {
            "instrument_name": self._exchange.instruments[side.index].name,
            "side": "bid" if side.side == BUY else "ask",
            "error": error.wire(),
        }

    def _track(self, batch: Batch, side: Side, book_id: int, report: Report) -> None:
        """Makes the venue's own record of one side agree with the book's."""
        orders = self._exchange.orders
        order = orders.quote(batch.account_id, batch.group.name, side.index, side.side)
        if not book_id:
            if order is not None:
                order.state, order.cancel_reason = "cancelled", "user_request"
                order.updated_ns = batch.now_ns
                orders.end(order)
                report.orders.append(order)
            return
        if order is None:
            currency = self._exchange.instruments[side.index].underlying
            order = Order(
                order_id=orders.next_id(currency),
                account_id=batch.account_id,
                connection_id=batch.connection_id,
                index=side.index,
                side=side.side,
                price_ticks=side.price_ticks,
                lots=side.lots,
                created_ns=batch.now_ns,
                updated_ns=batch.now_ns,
                is_mmp=True,
                is_quote=True,
                mmp_group=batch.group.name,
                is_api=False,
                book_id=book_id,
            )
            orders.add(order)
        else:
            order.lots, order.price_ticks = side.lots, side.price_ticks
            order.filled_lots = order.filled_ticks_lots = 0
            order.is_replaced = True
            order.updated_ns = batch.now_ns
            order.connection_id = batch.connection_id
            orders.rebook(order, book_id)
        order.quote_id, order.quote_set_id = batch.quote_id, side.quote_set_id
        order.is_post_only = side.is_post_only
        report.orders.append(order)


def _flag(wanted: dict[str, Any], name: str) -> bool:
    value = wanted.get(name, False)
    return value if isinstance(value, bool) else Params(wanted).boolean(name)
