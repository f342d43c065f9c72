"""Whatever two accounts do, money is conserved and the venue's orders are the book's."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.venue.client import GROUP, PERPETUAL, House, RefusedError

actors = st.sampled_from(["desk", "other"])
sides = st.sampled_from(["buy", "sell"])
offsets = st.integers(-6, 6)
sizes = st.integers(1, 9)
limit_orders = st.tuples(
    st.just("order"), actors, sides, st.booleans(), offsets, sizes,
    st.sampled_from(["good_til_cancelled", "immediate_or_cancel", "fill_or_kill"]),
    st.booleans(), st.booleans(),
)  # fmt: skip
market_orders = st.tuples(st.just("market"), actors, sides, st.booleans(), sizes)
edits = st.tuples(st.just("edit"), actors, st.integers(0, 3), offsets, sizes)
cancels = st.tuples(st.just("cancel"), actors, st.integers(0, 3))
quotes = st.tuples(st.just("quote"), actors, offsets, st.integers(1, 5), st.integers(0, 9))
moves = st.tuples(st.just("move"), st.integers(-50, 50))
drops = st.tuples(st.just("drop"), actors)
steps = st.lists(
    st.one_of(limit_orders, limit_orders, market_orders, edits, cancels, quotes, moves, drops),
    max_size=30,
)


class Play:
    """Two accounts on the perpetual and one option."""

    def __init__(self) -> None:
        self.house = House(
            trading_burst=10_000, mass_quote_burst=10_000, quotes_burst=100_000, quotes_rate=10_000
        )
        self.option = self.house.options()[0]
        self.usd = float(round(self.house.chain.index_usd["BTC"]))
        self.clients = {name: self._joined(name) for name in ("desk", "other")}

    def _joined(self, name: str):
        client = self.house.client(name, cod=True)
        client.protect(quantity_limit=4.0, frozen_time=1)
        return client

    def do(self, step) -> None:
        try:
            getattr(self, step[0])(*step[1:])
        except RefusedError:
            return  # a refusal is an answer; what follows checks that it changed nothing unsound

    def price(self, is_option: bool, offset: int) -> float:
        return round(0.02 + offset * 0.0005, 4) if is_option else self.usd + offset * 0.5

    def size(self, is_option: bool, lots: int) -> float:
        return round(lots * 0.1, 1) if is_option else lots * 10.0

    def order(self, who, side, is_option, offset, lots, tif, is_passive, is_reducing) -> None:
        self.clients[who].order(
            side,
            self.option if is_option else PERPETUAL,
            self.size(is_option, lots),
            self.price(is_option, offset),
            time_in_force=tif,
            post_only=is_passive,
            reduce_only=is_reducing,
        )

    def market(self, who, side, is_option, lots) -> None:
        self.clients[who].call(
            f"private/{side}",
            instrument_name=self.option if is_option else PERPETUAL,
            amount=self.size(is_option, lots),
            type="market",
        )

    def edit(self, who, at, offset, lots) -> None:
        mine = self.clients[who].call("private/get_open_orders")
        if mine:
            order = mine[at % len(mine)]
            is_option = order["instrument_name"] == self.option
            self.clients[who].call(
                "private/edit",
                order_id=order["order_id"],
                amount=self.size(is_option, lots),
                price=self.price(is_option, offset),
            )

    def cancel(self, who, at) -> None:
        mine = self.clients[who].call("private/get_open_orders")
        if mine:
            order_id = mine[at % len(mine)]["order_id"]
            self.clients[who].call("private/cancel", order_id=order_id)

    def quote(self, who, offset, width, lots) -> None:
        low, high = self.price(True, offset), self.price(True, offset + width)
        amount = self.size(True, lots)
        self.clients[who].quote(
            {"instrument_name": self.option, "bid": {"price": low, "amount": amount},
             "ask": {"price": high, "amount": amount}}
        )  # fmt: skip

    def move(self, percent_tenths) -> None:
        self.house.market.move_index("BTC", self.usd * (1 + percent_tenths / 10_000))
        self.house.pass_time(1.1)

    def drop(self, who) -> None:
        client = self.clients[who]
        self.house.deliver(self.house.venue.on_close(client.connection_id, self.house.now_ns))
        self.clients[who] = self._joined(who)

    def assert_consistent(self) -> None:
        exchange = self.house.venue.exchange
        for account in exchange.accounts.all():
            if not account.is_user:
                continue
            number = account.account_id
            known = {
                order.book_id: (order.price_ticks, order.remaining_lots, order.side)
                for order in (*exchange.orders.live(number), *exchange.orders.quotes(number))
            }
            rests = {
                row["order_id"]: (row["price_ticks"], row["lots"], row["side"])
                for row in exchange.book.owner_orders(number)
            }
            assert known == rests
            if exchange.groups_of(number).find("btc_usd", GROUP).is_frozen(self.house.now_ns):
                assert not exchange.orders.quotes(number)
        long = sum(
            max(0, exchange.position_lots(account.account_id, index))
            for account in exchange.accounts.all()
            for index in [exchange.index_of[PERPETUAL]]
        )
        assert exchange.history.tapes[exchange.index_of[PERPETUAL]].open_interest_lots == long
        best = self.house.venue.floor.views.best(exchange.index_of[self.option])
        assert not best[1] or not best[3] or best[0] < best[2]


@settings(max_examples=60, deadline=None)
@given(steps)
def test_money_and_orders_stay_in_agreement(script):
    play = Play()
    for step in script:
        play.do(step)
        play.house.assert_sound()
        play.assert_consistent()
