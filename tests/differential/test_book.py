"""The C book against a naive one that keeps a plain list and sorts it."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from native.book import (
    BUY,
    ERR_NOT_FILLABLE,
    ERR_NOT_FOUND,
    ERR_WOULD_CROSS,
    FOK,
    GTC,
    NO_GROUP,
    QUOTE,
    SELL,
    TRADE,
    UNTOUCHED_LOTS,
    Book,
)
from native.library import NativeError

INSTRUMENTS, OWNERS, GROUPS, ORDERS = 3, 4, 4, 512
PRICES = st.integers(1, 9)
LOTS = st.integers(1, 6)


@dataclass
class Resting:
    order_id: int
    instrument: int
    owner: int
    side: int
    price: int
    lots: int
    group: int
    arrival: int


class NaiveBook:
    def __init__(self) -> None:
        self.resting: list[Resting] = []
        self.events: list[tuple[int, ...]] = []
        self.arrivals = 0

    def queue(self, instrument, side):
        sign = -1 if side == BUY else 1
        orders = [o for o in self.resting if o.instrument == instrument and o.side == side]
        return sorted(orders, key=lambda o: (sign * o.price, o.arrival))

    def crossing(self, instrument, side, price):
        return [
            o
            for o in self.queue(instrument, 1 - side)
            if (price >= o.price if side == BUY else price <= o.price)
        ]

    def match(self, order: Resting) -> None:
        for maker in self.crossing(order.instrument, order.side, order.price):
            if order.lots == 0:
                return
            if maker.owner == order.owner:
                self.resting.remove(maker)
                self.events.append((2, maker.order_id, order.order_id, maker.price, maker.lots))
                continue
            lots = min(maker.lots, order.lots)
            maker.lots -= lots
            order.lots -= lots
            self.events.append((1, maker.order_id, order.order_id, maker.price, lots))
            if maker.lots == 0:
                self.resting.remove(maker)

    def rest(self, order: Resting) -> None:
        self.arrivals += 1
        order.arrival = self.arrivals
        if order.lots:
            self.resting.append(order)

    def find(self, order_id):
        return next((o for o in self.resting if o.order_id == order_id), None)

    def quote(self, instrument, owner, group):
        return {
            o.side: o
            for o in self.resting
            if (o.instrument, o.owner, o.group) == (instrument, owner, group)
        }


class BooksAgree(RuleBasedStateMachine):
    @initialize()
    def start(self):
        self.book = Book(INSTRUMENTS, ORDERS, OWNERS, GROUPS)
        self.naive = NaiveBook()
        self.ids: list[int] = []

    @rule(
        instrument=st.integers(0, INSTRUMENTS - 1),
        owner=st.integers(0, OWNERS - 1),
        side=st.sampled_from((BUY, SELL)),
        price=PRICES,
        lots=LOTS,
        force=st.integers(0, 2),
        post_only=st.booleans(),
    )
    def submit(self, instrument, owner, side, price, lots, force, post_only):
        crossing = self.naive.crossing(instrument, side, price)
        others = sum(o.lots for o in crossing if o.owner != owner)
        expected = 0
        if post_only and crossing:
            expected = ERR_WOULD_CROSS
        elif force == FOK and others < lots:
            expected = ERR_NOT_FILLABLE
        if expected:
            with pytest.raises(NativeError) as refusal:
                self.book.submit(instrument, owner, side, price, lots, force, post_only=post_only)
            assert refusal.value.status == expected
            return
        outcome = self.book.submit(instrument, owner, side, price, lots, force, post_only=post_only)
        order = Resting(outcome.order_id, instrument, owner, side, price, lots, NO_GROUP, 0)
        self.naive.match(order)
        assert outcome.filled_lots == lots - order.lots
        if force == GTC:
            self.naive.rest(order)
            self.ids.append(outcome.order_id)
            assert outcome.resting_lots == order.lots

    @rule(data=st.data(), price=PRICES, lots=LOTS, post_only=st.booleans())
    def amend(self, data, price, lots, post_only):
        if not self.ids:
            return
        order_id = data.draw(st.sampled_from(self.ids))
        order = self.naive.find(order_id)
        if order is None:
            with pytest.raises(NativeError) as refusal:
                self.book.amend(order_id, price, lots, post_only=post_only)
            assert refusal.value.status == ERR_NOT_FOUND
            return
        keeps = price == order.price and lots <= order.lots
        if not keeps and post_only and self.naive.crossing(order.instrument, order.side, price):
            with pytest.raises(NativeError) as refusal:
                self.book.amend(order_id, price, lots, post_only=post_only)
            assert refusal.value.status == ERR_WOULD_CROSS
            return
        outcome = self.book.amend(order_id, price, lots, post_only=post_only)
        if keeps:
            order.lots = lots
        else:
            self.naive.resting.remove(order)
            moved = replace(order, price=price, lots=lots)
            self.naive.match(moved)
            self.naive.rest(moved)
            assert outcome.resting_lots == moved.lots

    @rule(data=st.data())
    def cancel(self, data):
        if not self.ids:
            return
        order_id = data.draw(st.sampled_from(self.ids))
        order = self.naive.find(order_id)
        if order is None:
            with pytest.raises(NativeError) as refusal:
                self.book.cancel(order_id)
            assert refusal.value.status == ERR_NOT_FOUND
        else:
            assert self.book.cancel(order_id).lots == order.lots
            self.naive.resting.remove(order)

    @rule(owner=st.integers(0, OWNERS - 1), instrument=st.integers(-1, INSTRUMENTS - 1))
    def cancel_owner(self, owner, instrument):
        gone = self.book.cancel_owner(owner, instrument)
        expected = {
            o.order_id
            for o in self.naive.resting
            if o.owner == owner and instrument in (-1, o.instrument)
        }
        assert set(gone["order_id"].tolist()) == expected
        self.naive.resting = [o for o in self.naive.resting if o.order_id not in expected]

    @rule(
        instrument=st.integers(0, INSTRUMENTS - 1),
        owner=st.integers(0, OWNERS - 1),
        bid=PRICES,
        width=st.integers(1, 5),
        bid_lots=st.integers(-1, 5),
        ask_lots=st.integers(-1, 5),
        post_only=st.booleans(),
    )
    def quote(self, instrument, owner, bid, width, bid_lots, ask_lots, post_only):
        row = np.array([(bid, bid_lots, bid + width, ask_lots, instrument, 0)], dtype=QUOTE)
        answer = self.book.quote_batch(owner, owner, row, post_only=post_only)[0]
        resting = self.naive.quote(instrument, owner, owner)
        is_up = BUY not in resting or bid > resting[BUY].price
        wishes = {BUY: (bid, bid_lots), SELL: (bid + width, ask_lots)}
        statuses = {BUY: answer["bid_status"], SELL: answer["ask_status"]}
        ids = {BUY: answer["bid_order_id"], SELL: answer["ask_order_id"]}
        for side in (SELL, BUY) if is_up else (BUY, SELL):
            price, lots = wishes[side]
            old = self.naive.quote(instrument, owner, owner).get(side)
            if lots == UNTOUCHED_LOTS:
                continue
            if old is not None and price == old.price and 0 < lots < old.lots:
                old.lots = lots
                continue
            if old is not None:
                self.naive.resting.remove(old)
            refused = bool(lots and post_only and self.naive.crossing(instrument, side, price))
            assert statuses[side] == (ERR_WOULD_CROSS if refused else 0)
            if lots and not refused:
                new = Resting(int(ids[side]), instrument, owner, side, price, lots, owner, 0)
                assert old is None or old.order_id == new.order_id
                self.naive.match(new)
                self.naive.rest(new)
                self.ids.append(new.order_id)

    @invariant()
    def events_agree(self):
        rows = self.book.drain_events()
        seen = [
            (r["kind"], r["maker_order_id"], r["taker_order_id"], r["price_ticks"], r["lots"])
            for r in rows
        ]
        assert [tuple(int(v) for v in row) for row in seen] == self.naive.events
        assert all(r["maker_owner"] != r["taker_owner"] for r in rows if r["kind"] == TRADE)
        self.naive.events = []

    @invariant()
    def levels_and_best_agree(self):
        levels, _ = self.book.levels(np.arange(INSTRUMENTS, dtype=np.int32), 16)
        best = self.book.best()
        for instrument in range(INSTRUMENTS):
            for side in (BUY, SELL):
                sums: dict[int, int] = {}
                for order in self.naive.queue(instrument, side):
                    sums[order.price] = sums.get(order.price, 0) + order.lots
                rows = levels[instrument, side]
                shown = [(int(r["price_ticks"]), int(r["lots"])) for r in rows if r["lots"]]
                assert shown == list(sums.items())
                ticks = best.bid_ticks if side == BUY else best.ask_ticks
                assert ticks[instrument] == (shown[0][0] if shown else 0)

    @invariant()
    def owners_agree(self):
        for owner in range(OWNERS):
            rows = self.book.owner_orders(owner)
            expected = {(o.order_id, o.lots) for o in self.naive.resting if o.owner == owner}
            assert {(int(r["order_id"]), int(r["lots"])) for r in rows} == expected


TestBooksAgree = BooksAgree.TestCase
TestBooksAgree.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def test_change_ids_rise_and_dirty_instruments_are_told_once():
    book = Book(INSTRUMENTS, ORDERS, OWNERS, GROUPS)
    book.submit(1, 0, BUY, 5, 1)
    first = book.levels(np.array([0, 1], dtype=np.int32), 1)[1]
    book.submit(1, 0, BUY, 5, 1)
    second = book.levels(np.array([0, 1], dtype=np.int32), 1)[1]
    assert first[0] == second[0] == 0
    assert second[1] > first[1]
    assert book.drain_dirty().tolist() == [1]
    assert book.drain_dirty().tolist() == []
