"""The whole desk in simulated time: the same seed the same day, and nothing breaks under faults."""

import json
import multiprocessing
import os
import subprocess
import sys
from collections import Counter

import msgspec
import pytest

from infra.rebuild import Book
from services.ledger.entries import Body, entry_kind
from shared.messages.market import InstrumentsV1
from shared.messages.orders import AccountV1, FillV1
from shared.messages.risk import PortfolioV1
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
