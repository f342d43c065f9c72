"""The whole desk in simulated time: the same seed the same day, and nothing breaks under faults."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections import Counter

import msgspec
import pytest

from infra import simulated_desk
from infra.rebuild import Book
from native.book import SELL
from services.ledger.entries import Body, entry_kind
from services.venue.accounts.accounts import FIRST_USER
from shared.clock import NS_PER_S
from shared.messages.market import InstrumentsV1
from shared.messages.orders import AccountV1, FillV1, PlaceOrderV1, SettlementV1
from shared.messages.pricing import SurfaceV1
from shared.messages.quoting import QuotesV1
from shared.messages.risk import HaltV1, PortfolioV1, ReconciliationV1
from tests.simulation import desks

SEEDS = range(1, 51)
NEVER_IN_SHORT_RUNS = {"nothing_lost"}  # heartbeats are the shell's, and there is no shell here


def hash_of(seed, hash_seed, *options):
    """Runs `hedgerow simulate`'s program in a process of its own."""
    command = (sys.executable, "-m", "infra.simulated_desk", "--seed", str(seed), "--json")
    finished = subprocess.run(
        [*command, "--hours", "0.008", *options],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(finished.stdout)["hash"]


@pytest.mark.parametrize("options", [(), ("--faults",)])
def test_the_same_seed_gives_the_same_hash_in_another_process(options):
    first, second = (hash_of(3, hash_seed, *options) for hash_seed in ("1", "4242"))
    assert first == second
    assert hash_of(4, "1", *options) != first


def test_fifty_seeds_under_faults_break_nothing():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.map(desks.run_seed, SEEDS, chunksize=5)
    broken = {result["seed"]: result["broken"] for result in results if result["broken"]}
    assert broken == {}
    events = Counter(kind for result in results for kind in result["events"])
    assert min(events[kind] for kind in ("crash", "stall", "disconnect")) >= 20
    assert sum(result["fills"] for result in results) > 100
    checks = Counter()
    for result in results:
        checks.update(result["checks"])
    assert {name for name, count in checks.items() if not count} == NEVER_IN_SHORT_RUNS


def test_the_books_of_risk_ledger_and_venue_are_one_at_the_end():
    known = desks.run(2, 60.0, faults=desks.HARSH)
    fills = Book()
    for record in known.journal.records:
        fact = msgspec.json.decode(record.payload, type=Body).fact
        if record.kind == entry_kind(FillV1):
            fills.add_fill(msgspec.json.decode(fact, type=FillV1))
        elif record.kind == entry_kind(InstrumentsV1):
            for instrument in msgspec.json.decode(fact, type=InstrumentsV1).instruments:
                fills.add_instrument(instrument)
    state = known.simulation.bus.state.values()
    portfolios = [message for message in state if type(message) is PortfolioV1]
    accounts = [message for message in state if type(message) is AccountV1]
    risk = {one.instrument: one.position_lots for book in portfolios for one in book.positions}
    venue = {one.instrument: one.position_lots for book in accounts for one in book.positions}
    assert len(known.fills) > 10
    assert fills.open_lots() == dict(sorted(risk.items())) == dict(sorted(venue.items()))
    cash = {book.underlying: book.cash_coin_e12 for book in portfolios if book.fill_count}
    assert fills.cash_coin_e12 == cash


def test_messages_survive_the_codec():
    known = desks.run(5, 20.0, is_encoded=True)
    plain = desks.run(5, 20.0)
    assert known.simulation.bus.state_hash() == plain.simulation.bus.state_hash()


def test_no_quote_is_left_after_the_drain():
    known = desks.run(6, 20.0)
    exchange = known.venue.core.exchange
    assert list(exchange.orders.quotes(2)) == []
    assert list(exchange.orders.live(2)) == []


def test_the_explain_leaves_next_to_nothing_over():
    known = desks.run(7, 120.0, tables=desks.HEDGED)
    gross = sum(pnl.gross_usd for pnl in known.pnls.values())
    assert gross > 100.0
    assert sum(pnl.residual_gross_usd for pnl in known.pnls.values()) < 0.01 * gross
    assert all(pnl.is_final for pnl in known.pnls.values())


def bid_for_what_expires(known, expiry_ns):
    """Has the gateway bid for options about to expire: neither desk nor makers quote so short."""
    for name, price_ticks in expiring(known, expiry_ns):
        order = PlaceOrderV1(
            created_ns=known.simulation.clock.now_ns, order_id=f"test-{name}", intent_id="t",
            instrument=name, side="buy", amount_lots=1, price_ticks=price_ticks,
            is_post_only=False, is_immediate=False, is_reduce_only=False, expires_ns=expiry_ns,
        )  # fmt: skip
        known.simulation.bus.publish("test", order)


def hit_those_bids(known, expiry_ns):
    """Has one of the crowd sell them to the desk."""
    exchange = known.venue.core.exchange
    for name, price_ticks in expiring(known, expiry_ns):
        known.venue.core._crowd.take(0, exchange.index_of[name], SELL, 1, price_ticks)


def expiring(known, expiry_ns):
    exchange = known.venue.core.exchange
    return [
        (instrument.name, max(1, round(exchange.marks.prices[index] * 2000) * 5))
        for index, instrument in enumerate(exchange.instruments)
        if instrument.kind == "option" and instrument.expiry_ns == expiry_ns
    ]


def fees_paid(known, currency):
    accounts = known.venue.core.exchange.accounts
    return accounts.get(FIRST_USER).wallets[currency].fees_e12


def test_an_expiry_in_the_middle_of_the_day_breaks_nothing():
    """At 08:00 UTC options are delivered and futures settled; no books differ, nobody halts. It is
    a Friday: deliveries cost a fee. Risk is killed afterwards, and comes back to what is listed no
    more."""
    eight = simulated_desk.START_NS + 44 * 3600 * NS_PER_S
    known = simulated_desk.build(1, desks.HEDGED, start_ns=eight - 45 * NS_PER_S)
    simulation = known.simulation
    simulation.at(eight - 20 * NS_PER_S, lambda: bid_for_what_expires(known, eight))
    simulation.at(eight - 19 * NS_PER_S, lambda: hit_those_bids(known, eight))
    simulation.at(eight + 20 * NS_PER_S, simulation.agents["risk"].crash)
    simulation.at(eight + 21 * NS_PER_S, simulation.agents["risk"].start)
    known.run(150.0)
    record = simulation.bus.record
    settled = [message for message in record if type(message) is SettlementV1]
    assert {message.kind for message in settled} == {"delivery", "settlement"}
    delivered = {message.instrument for message in settled if message.kind == "delivery"}
    assert {"BTC", "ETH"} == {name[:3] for name in delivered}
    assert delivered == {
        one.instrument for one in known.fills.values() if one.order_id.startswith("test-")
    }
    state = simulation.bus.state.values()
    held = {one.instrument for book in state if type(book) is PortfolioV1 for one in book.positions}
    assert held
    assert not held & delivered
    assert [one for one in known.invariants.report() if one["violations"]] == []
    assert [message for message in record if type(message) is HaltV1] == []
    words = [message for message in state if type(message) is ReconciliationV1]
    assert len(words) == 2
    assert all(word.is_equal and word.check_count > 10 for word in words)
    assert all(abs(word.cash_difference_coin_e12) < 10**6 for word in words)
    for underlying, book in known.simulation.agents["risk"].service.core.underlyings.items():
        paid = fees_paid(known, underlying)
        assert paid > sum(
            f.fee_coin_e12 for f in known.fills.values() if f.underlying == underlying
        )
        assert book.portfolio.positions.fees_coin_e12 == paid
        assert known.pnls[underlying].coin.fees == pytest.approx(-paid / 1e12, abs=1e-11)


def test_the_expiry_that_is_listed_next_is_quoted_soon_after():
    """Of each underlying both sides of most options, over the WebSocket, without a restart."""
    eight = simulated_desk.START_NS + 20 * 3600 * NS_PER_S
    known = simulated_desk.build(3, {}, start_ns=eight - 12 * NS_PER_S)
    listed, quoted, late = {}, {}, set()

    def observe(now_ns, sender, message):
        del sender
        if now_ns <= eight:
            return
        if type(message) is InstrumentsV1:
            listed[message.underlying, message.expiry_ns] = message.instruments
        elif type(message) is QuotesV1:
            for quote in message.quotes:
                quoted[quote.instrument] = min(quote.bid_lots, quote.ask_lots) > 0
                if quoted[quote.instrument] and quote.instrument in expired:
                    late.add(quote.instrument)

    expired = {one.name for one in known.venue.core.exchange.instruments if one.expiry_ns == eight}
    known.simulation.observers.append(observe)
    known.run(28.0)
    assert {key: bool(names) for key, names in listed.items()} == {
        (underlying, expiry_ns): expiry_ns > eight
        for underlying in ("BTC", "ETH")
        for expiry_ns in (eight, eight + 4 * 86_400 * NS_PER_S)
    }
    for (underlying, expiry_ns), instruments in listed.items():
        count = sum(quoted.get(one.name, False) for one in instruments)
        assert expiry_ns == eight or count >= 10, underlying
    assert not late
    surfaces = [m for m in known.simulation.bus.state.values() if type(m) is SurfaceV1]
    assert {eight + 4 * 86_400 * NS_PER_S in {s.expiry_ns for s in m.slices} for m in surfaces} == {
        True
    }
    assert [one for one in known.invariants.report() if one["violations"]] == []
    assert [m for m in known.simulation.bus.record if type(m) is HaltV1] == []
