"""Each invariant lets lawful traffic pass and names what is not."""

import msgspec
import pytest

from shared.clock import NS_PER_S
from shared.invariants import LIST, Invariants
from shared.messages.desk import HeartbeatV1, RecordV1
from shared.messages.market import VenueAuditV1
from shared.messages.orders import AccountPosition, AccountV1, FillV1, OrderV1, SettlementV1
from shared.messages.quoting import Quote, QuotesV1, QuotingStatusV1
from shared.messages.risk import HaltV1, LeaseV1, LimitsV1, PnlTerms, PnlV1, PortfolioV1, Position

NOW = 10**18
NAME = "BTC-TEST-C"


def limits():
    return LimitsV1(
        created_ns=NOW, underlying="BTC", version=1, delta_coin_max=1.0, vega_usd_max=100.0,
        gamma_coin_per_usd_max=1.0, quote_lots_max=10, position_lots_max=100, collar_vol=0.1,
        collar_coin=0.01, surface_age_ns_max=NS_PER_S, tick_age_ns_max=NS_PER_S, author="test",
    )  # fmt: skip


def lease(now=NOW, life_ns=800_000_000):
    return LeaseV1(
        created_ns=now, underlying="BTC", sequence=1, state="active", expires_ns=now + life_ns
    )


def quotes(now=NOW, bid=100, ask=110, lots=5, age_ns=0, number=1):
    return QuotesV1(
        created_ns=now, underlying="BTC", sequence=number, surface_version=1,
        surface_age_ns=age_ns,
        is_full=False, quotes=(Quote(NAME, bid, lots, ask, lots, 0.01),),
    )  # fmt: skip


def status(now, quoted):
    return QuotingStatusV1(
        created_ns=now, underlying="BTC", state="active", quoted_count=quoted, one_sided_count=0,
        quotable_count=10, quotes_sent_count=1, quotes_refused_count=0, mmp_trigger_count=0,
        uptime_ratio=1.0,
    )  # fmt: skip


def halt(now=NOW, action="halt", number=1):
    return HaltV1(
        created_ns=now, halt_id=f"h{number}", underlying="all", action=action, reason="",
        author="test",
    )  # fmt: skip


def portfolio(now=NOW, delta=0.0, lots=0, fills=0, cash=0):
    return PortfolioV1(
        created_ns=now, underlying="BTC", fill_count=fills, last_trade_id="",
        positions=(Position(NAME, lots),) if lots else (), delta_coin=delta,
        option_delta_coin=delta, gamma_coin_per_usd=0.0, vega_usd=0.0, theta_usd_per_day=0.0,
        value_coin=0.0, cash_coin_e12=cash, index_usd=1e5, surface_version=1,
    )  # fmt: skip


def fill(number, lots=1, now=NOW):
    return FillV1(
        created_ns=now, trade_id=f"T{number}", venue_order_id="", order_id="", is_quote=True,
        underlying="BTC", instrument=NAME, side="buy", amount_lots=lots, price_ticks=100,
        is_maker=True, fee_coin_e12=0, index_usd=1e5, mark_price=0.01, venue_ns=now,
    )  # fmt: skip


def account(now, lots, last=""):
    return AccountV1(
        created_ns=now, currency="BTC", positions=(AccountPosition(NAME, lots),) if lots else (),
        balance_coin_e12=0, equity_coin_e12=0, venue_ns=now, last_trade_id=last,
    )  # fmt: skip


def pnl(now=NOW, edge=0.0, total=0.0, worth=None):
    terms = dict.fromkeys(PnlTerms.__struct_fields__, 0.0)
    coin = PnlTerms(**{**terms, "edge": edge, "total": total})
    return PnlV1(
        created_ns=now, underlying="BTC", coin=coin, usd=PnlTerms(**terms), gross_usd=0.0,
        residual_gross_usd=0.0, worth_coin=worth,
    )  # fmt: skip


def order(filled, venue_ns=NOW, amount=5):
    return OrderV1(
        created_ns=NOW, order_id="o1", venue_order_id="", instrument=NAME, side="buy",
        state="open", amount_lots=amount, filled_lots=filled, price_ticks=100, reason="",
        venue_ns=venue_ns,
    )  # fmt: skip


def record(sequence, previous, own, fact=None):
    payload = msgspec.json.encode({"key": "k", "fact": fact or {}})
    return RecordV1(
        created_ns=NOW, sequence=sequence, kind="orders-fill-v1" if fact else "other",
        payload=msgspec.Raw(payload), previous_hash=previous * 64, entry_hash=own * 64,
    )  # fmt: skip


def fact(number, lots=1):
    return msgspec.to_builtins(fill(number, lots))


def delivery(now=NOW):
    return SettlementV1(
        created_ns=now, settlement_id="s1", kind="delivery", underlying="BTC", instrument=NAME,
        price_usd=1e5, venue_ns=now,
    )  # fmt: skip


def beat(lost):
    return HeartbeatV1(
        created_ns=NOW, service="risk", pid=1, started_ns=NOW, is_ready=True, reason="",
        handled_count=0, published_count=0, dropped_count=5, critical_dropped_count=lost,
        dead_letter_count=0, rss_bytes=0, cpu_s=0.0, http_port=0,
    )  # fmt: skip


def audit(money=0, live=0, now=NOW):
    return VenueAuditV1(
        created_ns=now, currency="BTC", accounts_sum_coin_e12=money, trade_count=0,
        live_quote_count=live, positions_sum_lots=0,
    )  # fmt: skip


S = NS_PER_S
LAWFUL = [
    limits(), lease(), quotes(), status(NOW, 1), fill(1), fill(1), account(NOW, 1, "T1"),
    portfolio(lots=1, fills=1), record(1, "0", "1", fact(1)), record(2, "1", "2"), order(2),
    order(5, NOW + 1), pnl(), audit(), beat(0), halt(NOW + S), quotes(NOW + S + 1),
    status(NOW + 3 * S, 0), halt(NOW + 4 * S, "resume", 2), lease(NOW + 5 * S),
    quotes(NOW + 5 * S), delivery(), portfolio(NOW + 6 * S, fills=1), account(NOW + 6 * S, 0),
]  # fmt: skip
UNLAWFUL = {
    "bid_below_ask": [lease(), quotes(bid=110)],
    "quote_size": [limits(), lease(), quotes(lots=11)],
    "quote_fresh": [limits(), lease(), quotes(age_ns=2 * S)],
    "quote_under_lease": [lease(), quotes(NOW + 3 * S)],
    "no_quote_after_halt": [halt(), status(NOW + 2 * S, 3)],
    "lease_bounded": [halt(), lease(NOW + 1)],
    "greeks_within_limits": [
        limits(), portfolio(delta=1.5), portfolio(NOW + 4 * S, delta=1.6),
        portfolio(NOW + 5 * S, delta=2.5),
    ],
    "money_conserved": [audit(money=1)],
    "risk_equals_fills": [fill(1), portfolio(lots=2, fills=1)],
    "ledger_equals_fills": [fill(1), record(1, "0", "1", fact(1)), record(2, "1", "2", fact(1))],
    "venue_equals_fills": [fill(1), account(NOW + 1, 2), account(NOW + 2, 2)],
    "fills_idempotent": [fill(1, lots=1), fill(1, lots=2)],
    "order_once": [order(3), order(2, NOW + 1)],
    "pnl_identity": [pnl(edge=0.1)],
    "record_chained": [record(1, "0", "1"), record(2, "2", "3")],
    "nothing_lost": [beat(1)],
}  # fmt: skip


def found(messages):
    invariants = Invariants()
    for message in messages:
        invariants.observe(message)
    return {one["name"]: one for one in invariants.report() if one["violations"]}


def test_lawful_traffic_passes():
    assert found(LAWFUL) == {}


@pytest.mark.parametrize("name", UNLAWFUL)
def test_the_unlawful_is_named_and_nothing_else(name):
    violated = found(UNLAWFUL[name])
    assert set(violated) == {name}
    assert violated[name]["details"]


def test_a_total_that_is_not_cash_and_value_is_found():
    assert found([pnl(edge=1.0, total=1.0, worth=1.0)]) == {}
    assert set(found([pnl(edge=1.0, total=1.0, worth=0.9)])) == {"pnl_identity"}


def test_a_fill_that_risk_never_counts_is_found():
    assert set(found([fill(1), portfolio(NOW + 11 * S)])) == {"risk_equals_fills"}


def test_a_fill_that_the_ledger_never_records_is_found():
    messages = [
        fill(1), record(1, "0", "1", fact(1)), fill(2), portfolio(NOW + 11 * S, lots=2, fills=2),
    ]  # fmt: skip
    assert set(found(messages)) == {"ledger_equals_fills"}


def test_a_trade_that_only_the_venue_knows_is_found():
    words = [account(NOW + number, 1, "T9") for number in range(3)]
    assert set(found(words)) == {"venue_equals_fills"}


def test_every_invariant_says_what_it_is():
    assert {one["name"]: one["says"] for one in Invariants().report()} == LIST


@pytest.mark.parametrize(("leap", "later_s", "broken"), [(2, 3, 1), (30, 3, 0), (30, 6, 1)])
def test_a_judge_that_was_cut_off_assumes_no_longer_lease_than_there_can_be(leap, later_s, broken):
    """A few lost messages, a stretch of them, and quotes that go on after it."""
    judge = Invariants()
    for message in (
        lease(), quotes(number=1), quotes(NOW + 3 * S, number=1 + leap),
        quotes(NOW + later_s * S, number=2 + leap),
    ):  # fmt: skip
        judge.observe(message)
    found = judge.all["quote_under_lease"].violation_count
    assert bool(found) == bool(broken)
