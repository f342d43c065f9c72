"""A venue that died suddenly comes back: money, trades, orders, market and settlement."""

import copy

import msgspec
import numpy as np
import pytest

from services.venue.accounts.accounts import FIRST_USER
from services.venue.core import Config
from services.venue.market.opening import build_venue
from services.venue.persistence import memory
from services.venue.persistence.memory import Memory, Record
from services.venue.persistence.recall import read_log
from services.venue.persistence.state_file import StateFile
from shared.clock import NS_PER_S
from tests.unit.venue.client import NOW_NS, PERPETUAL, USERS, House, RefusedError

SEED = 3
SETTLEMENT_NS = NOW_NS - NOW_NS % (86_400 * NS_PER_S) + (86_400 + 8 * 3600) * NS_PER_S


class Mortal(House):
    """A house that keeps its venue's memory, and can lose all but that."""

    def __init__(self, now_ns: int = NOW_NS, **config) -> None:
        super().__init__(now_ns, SEED, **config)
        self.config = Config(**{"has_crowd": False, **config})
        self.opened_ns = now_ns
        self.log = b""
        self.memory = Memory(self.venue, now_ns)

    def deliver(self, outputs):
        record = self.memory.take(self.now_ns)
        if record is not None:
            self.log = record.line if record.is_checkpoint else self.log + record.line
        super().deliver(outputs)

    def die(self, down_s: float = 2.0) -> None:
        """Ends the venue; the next one has only the log."""
        recalled = read_log(self.log)
        assert recalled is not None
        assert recalled.opened_ns == self.opened_ns
        self.now_ns += round(down_s * NS_PER_S)
        self.venue = build_venue(self.config, self.chain, SEED, USERS, self.now_ns, recalled)
        self.memory = Memory(self.venue, recalled.opened_ns)
        for connection_id in self.clients:
            self.clients[connection_id].closed = "died"


def money(house):
    """Returns every account to the last 1e-12, without the crowd's empty positions."""
    return {a.account_id: msgspec.to_builtins(a) for a in house.venue.exchange.accounts.all()}


def trades(house, account="desk"):
    return house.client(account).call(
        "private/get_user_trades_by_currency", currency="BTC", count=1000
    )["trades"]


def deal(house, amount=100.0, label=""):
    """Lets two clients trade the perpetual; returns the buyer's order."""
    price = round(house.chain.index_usd["BTC"])
    house.client("other").order("sell", PERPETUAL, amount, price)
    return house.client("desk").order("buy", PERPETUAL, amount, price, label=label)


@pytest.fixture
def busy():
    """A house in which the crowd and the desk have traded for a while."""
    house = Mortal(has_crowd=True)
    house.pass_time(20)
    desk = house.client("desk")
    desk.call("private/buy", instrument_name=PERPETUAL, amount=50_000, type="market")
    for name in house.options()[:3]:
        desk.call("private/sell", instrument_name=name, amount=1.0, type="market")
    house.pass_time(3)
    desk.call("private/sell", instrument_name=PERPETUAL, amount=20_000, type="market")
    return house


def test_money_is_the_same_to_the_last_unit(busy):
    before = copy.deepcopy(money(busy))
    assert busy.venue.exchange.history.trade_count > 50
    busy.die()
    assert money(busy) == before
    busy.assert_sound()
    busy.pass_time(5)
    busy.assert_sound()


def test_tape_and_candles_go_on(busy):
    old = busy.venue.exchange
    busy.die()
    new = busy.venue.exchange
    assert new.history.tapes == old.history.tapes
    assert new.history.trade_counts == old.history.trade_counts
    assert new.candles.rows() == old.candles.rows()


def test_users_trades_are_remembered_and_ids_go_on(busy):
    before = trades(busy)
    assert len(before) >= 5
    numbers = {t.number for t in busy.venue.exchange.history.by_currency["BTC"]}
    busy.die()
    assert trades(busy) == before
    busy.pass_time(10)
    history = busy.venue.exchange.history
    fresh = [t for t in history.by_currency["BTC"] if t.at_ns > busy.now_ns - 10 * NS_PER_S]
    assert fresh
    assert numbers.isdisjoint(t.number for t in fresh)
    for index, instrument in enumerate(busy.venue.exchange.instruments):
        sequences = [t.sequence for t in history.of_instrument(index, instrument.underlying)]
        assert sequences == sorted(set(sequences))


def test_the_market_goes_where_it_would_have_gone(busy):
    other = copy.deepcopy(busy.now_ns)
    market = busy.venue.market
    busy.die(down_s=4.0)
    twin = House(NOW_NS, SEED, has_crowd=True)
    while twin.now_ns < other:
        twin.pass_time(0.1)
    twin.pass_time(4.0)
    for currency in ("BTC", "ETH"):
        assert busy.venue.market.index_usd(currency) == twin.venue.market.index_usd(currency)
    forwards, unbroken = busy.venue.market.forwards_usd(), twin.venue.market.forwards_usd()
    np.testing.assert_allclose(forwards, unbroken, rtol=1e-4)
    np.testing.assert_allclose(busy.venue.market.vols(), twin.venue.market.vols(), rtol=5e-3)
    assert market is not busy.venue.market


def test_nobody_arrives_for_the_time_that_the_venue_was_down(busy):
    busy.die(down_s=600.0)
    count = busy.venue.exchange.history.trade_count
    busy.pass_time(0.3)
    assert busy.venue.exchange.history.trade_count - count < 60


def test_orders_are_known_and_none_rests():
    house = Mortal()
    filled = deal(house, label="done")
    price = round(house.chain.index_usd["BTC"]) - 100
    resting = house.client().order("buy", PERPETUAL, 10, price, label="rests")
    house.die()
    client = house.client()
    assert client.call("private/get_open_orders_by_currency", currency="BTC") == []
    state = client.call("private/get_order_state", order_id=filled["order_id"])
    assert (state["order_state"], state["filled_amount"]) == ("filled", 100.0)
    (by_label,) = client.call("private/get_order_state_by_label", currency="BTC", label="rests")
    assert by_label["order_id"] == resting["order_id"]
    assert by_label["order_state"] == "cancelled"
    assert by_label["cancel_reason"] == "cancel_on_disconnect"
    assert int(client.order("buy", PERPETUAL, 10, price)["order_id"]) > int(resting["order_id"])


def test_a_part_filled_order_ends_with_its_part():
    house = Mortal()
    price = round(house.chain.index_usd["BTC"])
    order = house.client("desk").order("buy", PERPETUAL, 100, price)
    house.client("other").order("sell", PERPETUAL, 40, price)
    house.die()
    state = house.client().call("private/get_order_state", order_id=order["order_id"])
    assert (state["order_state"], state["filled_amount"]) == ("cancelled", 40.0)


def test_tokens_of_before_are_void():
    house = Mortal()
    keys = {"client_id": "desk-id", "client_secret": "desk-secret"}
    login = {"grant_type": "client_credentials", **keys}
    token = house.client().call("public/auth", **login)["access_token"]
    house.pass_time(0.1)
    house.die()
    house.client().call("public/auth", **login)
    with pytest.raises(RefusedError):
        house.client(login=False).call("private/get_positions", currency="BTC", access_token=token)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.99])
def test_a_torn_last_record_is_dropped(part):
    house = Mortal()
    deal(house)
    whole, before = house.log, copy.deepcopy(money(house))
    deal(house, amount=200.0)
    last = house.log[len(whole) :]
    assert last.count(b"\n") >= 1
    lines = house.log.splitlines(keepends=True)
    cut = len(house.log) - len(lines[-1]) + int(len(lines[-1]) * part)
    assert b'"trades"' in lines[-1], "the last input was a trade"
    house.log = house.log[:cut]
    house.die()
    assert money(house) == before
    house.assert_sound()
    assert deal(house)["order_state"] == "filled"


def test_an_empty_log_recalls_nothing():
    assert read_log(b"") is None
    assert read_log(b'{"type":"check') is None


def test_a_long_log_is_made_short_and_loses_nothing(busy, monkeypatch):
    monkeypatch.setattr(memory, "LOG_BYTES_MAX", 1)
    busy.pass_time(1)
    assert busy.log.count(b"\n") <= 2
    before, mine = copy.deepcopy(money(busy)), trades(busy)
    busy.die()
    assert money(busy) == before
    assert trades(busy) == mine


def test_dying_twice_is_like_dying_once(busy):
    before = copy.deepcopy(money(busy))
    busy.die()
    busy.venue.exchange.book.drain_dirty()
    busy.log = memory._line(memory.checkpoint(busy.venue, busy.opened_ns, busy.now_ns))
    busy.die()
    assert money(busy) == before


def test_a_settlement_missed_is_made_up_for():
    house = Mortal(SETTLEMENT_NS - 60 * NS_PER_S)
    deal(house)
    house.pass_time(55, step_s=1)
    house.die(down_s=20.0)
    house.pass_time(6, step_s=1)
    events = house.client().call("private/get_settlement_history_by_currency", currency="BTC")
    assert PERPETUAL in {row["instrument_name"] for row in events["settlements"]}
    house.assert_sound()


def test_what_was_settled_and_delivered_stays_so():
    house = Mortal(SETTLEMENT_NS - 60 * NS_PER_S)
    deal(house)
    house.pass_time(70, step_s=1)
    old, before = house.venue, copy.deepcopy(money(house))
    closed = [i for i, state in enumerate(old.exchange.states) if state == "closed"]
    assert closed
    house.die()
    assert money(house) == before
    assert house.venue.exchange.states == old.exchange.states
    assert house.venue.exchange.closed[closed].all()
    new = house.venue.floor.settlement
    assert new.delivered == old.floor.settlement.delivered
    assert new.public_events == old.floor.settlement.public_events
    assert new.account_events == old.floor.settlement.account_events
    assert new.samples == old.floor.settlement.samples
    assert new.vols == old.floor.settlement.vols
    house.pass_time(5, step_s=1)
    assert house.venue.exchange.accounts.get(FIRST_USER).wallets["BTC"].futures_rpl_e12 == 0


def test_the_file_holds_a_checkpoint_and_what_came_after(tmp_path):
    path = tmp_path / "venue.state"
    file = StateFile(path)
    assert file.read() == b""
    file.write(Record(b"one\n", True))
    file.write(Record(b"two\n", False))
    assert StateFile(path).read() == b"one\ntwo\n"
    file.write(Record(b"three\n", True))
    file.write(Record(b"four\n", False))
    assert StateFile(path).read() == b"three\nfour\n"
    assert [p.name for p in tmp_path.iterdir()] == ["venue.state"]
