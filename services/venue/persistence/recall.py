"""How a venue comes back from a sudden end: its log is read, and its state built again."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec
import numpy as np

from services.venue.core import Venue
from services.venue.matching.orders import Order
from services.venue.matching.settlement import EVENTS_MAX
from services.venue.persistence.memory import Batch, Checkpoint, SettlementState, trade_of

ID_GAP = 100_000  # more order ids than a venue gives to quotes in a second
GONE = "cancel_on_disconnect"  # what became of an order that rested

_decoder = msgspec.json.Decoder(Checkpoint | Batch)


@dataclass(frozen=True, slots=True)
class Recalled:
    """A log as read: a checkpoint and the batches after it."""

    checkpoint: Checkpoint
    batches: list[Batch]

    @property
    def opened_ns(self) -> int:
        return self.checkpoint.opened_ns

    @property
    def seen_ns(self) -> int:
        """When the market was last written down."""
        return next(
            (b.now_ns for b in reversed(self.batches) if b.premiums), self.checkpoint.now_ns
        )

    @property
    def premiums(self) -> list[float]:
        at = (b.premiums for b in reversed(self.batches) if b.premiums)
        return next(at, self.checkpoint.premiums)

    @property
    def last_ns(self) -> int:
        return max(self.checkpoint.now_ns, *(batch.now_ns for batch in self.batches), 0)


def read_log(data: bytes) -> Recalled | None:
    """Returns what a log says; what the end tore off was never acknowledged, and is dropped."""
    *lines, _torn = data.split(b"\n")
    if not lines:
        return None
    head, *rest = (_decoder.decode(line) for line in lines)
    assert isinstance(head, Checkpoint)
    batches = [record for record in rest if isinstance(record, Batch)]
    assert len(batches) == len(rest), "a checkpoint begins a log of its own"
    return Recalled(head, batches)


def restore(venue: Venue, recalled: Recalled) -> None:
    """Gives a venue that has just opened what was remembered of the one before it."""
    point, exchange = recalled.checkpoint, venue.exchange
    for account in point.accounts:
        exchange.accounts.restore(account)
    _restore_history(venue, point)
    _restore_settlement(venue, point.settlement)
    orders = {row[0]: Order(*row) for row in point.orders}
    for batch in recalled.batches:
        for row in batch.trades:
            exchange.replay(trade_of(row))
        for row in batch.orders:
            orders.pop(row[0], None)
            orders[row[0]] = Order(*row)
        if batch.index_usd:
            venue.floor.settlement.sample(batch.now_ns, batch.index_usd)
        for currency, vol in batch.vols.items():
            vols = venue.floor.settlement.vols[currency]
            if not vols or vols[-1] != vol:
                vols.append(vol)
    _restore_orders(venue, orders.values(), recalled.last_ns)
    last = recalled.batches[-1] if recalled.batches else point
    exchange.orders.skip_ids(last.order_count + ID_GAP)
    venue.floor.margin.forget()


def _restore_orders(venue: Venue, orders: Iterable[Order], gone_ns: int) -> None:
    """Takes orders back as they ended; those that rested ended with the venue."""
    for order in orders:
        order.book_id = 0
        if order.is_live:
            order.state, order.cancel_reason, order.updated_ns = "cancelled", GONE, gone_ns
        venue.exchange.orders.remember(order)


def _restore_history(venue: Venue, point: Checkpoint) -> None:
    exchange = venue.exchange
    history = exchange.history
    for state in point.tapes:
        tape = history.tapes[state.index]
        tape.sequence, tape.last_ticks = state.sequence, state.last_ticks
        tape.tick_direction = state.tick_direction
        tape.open_interest_lots = state.open_interest_lots
        tape.hours.extend(state.hours)
    exchange.candles.restore(point.bars)
    for row in point.trades:
        trade = trade_of(row)
        history.add(trade, exchange.instruments[trade.index].underlying)
    history.trade_count = point.trade_count
    history.trade_counts.update(point.trade_counts)


def _restore_settlement(venue: Venue, state: SettlementState) -> None:
    exchange, settlement, views = venue.exchange, venue.floor.settlement, venue.floor.views
    settlement.resume(state.next_ns, state.samples)
    exchange.settling_until_ns.update(state.settling_until_ns)
    for currency, vols in state.vols.items():
        settlement.vols[currency].extend(vols)
    settlement.delivered.update(state.delivered)
    settlement.public_events.extend(state.public_events)
    for account_id, rows in state.account_events.items():
        settlement.account_events[account_id] = deque(rows, maxlen=EVENTS_MAX)
    views.settlement_prices.update(state.settlement_prices)
    views.delivery_prices.update(state.delivery_prices)
    if state.closed:
        exchange.closed = np.zeros(len(exchange.instruments), dtype=np.bool_)
        exchange.closed[state.closed] = True
    for index in state.closed:
        exchange.states[index] = "closed"
