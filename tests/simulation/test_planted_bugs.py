"""The invariants have teeth: each bug planted here is caught by the one that should catch it.

A bug is planted by wrapping a service's handlers: what the core yields is changed on its way out,
or what it is given is dropped on its way in. The core itself is untouched.
"""

from dataclasses import replace

import msgspec
import pytest

from shared.messages.hedging import HedgeIntentV1
from shared.messages.message import Message
from shared.messages.orders import FillV1
from shared.messages.quoting import QuotesV1
from shared.messages.risk import LeaseV1, PnlV1
from tests.simulation import desks


def on_output(change):
    """Plants a bug on the way out: `change` returns what is sent in place of each message."""

    def wrap(build):
        def built():
            def bad(handler):
                def handle(message):
                    for output in handler(message):
                        is_message = isinstance(output, Message)
                        yield from change(output) if is_message else (output,)

                return handle

            service = build()
            consumes = tuple(replace(one, handler=bad(one.handler)) for one in service.consumes)
            timers = tuple(replace(one, handler=bad(one.handler)) for one in service.timers)
            return replace(service, consumes=consumes, timers=timers)

        return built

    return wrap


def on_input(kind, is_taken):
    """Plants a bug on the way in: messages of a kind that are not `is_taken` never arrive."""

    def wrap(build):
        def built():
            def deaf(handler):
                return lambda message: handler(message) if is_taken(message) else ()

            service = build()
            consumes = tuple(
                replace(one, handler=deaf(one.handler)) if one.kind is kind else one
                for one in service.consumes
            )
            return replace(service, consumes=consumes)

        return built

    return wrap


def is_third(fill):
    """Every third trade or so, by its id."""
    return int("".join(filter(str.isdigit, fill.trade_id))) % 3 == 0


def drop_fill(message):
    if isinstance(message, FillV1) and is_third(message):
        return ()
    return (message,)


def double_fill(message):
    if isinstance(message, FillV1):
        return message, msgspec.structs.replace(message, trade_id=f"{message.trade_id}x")
    return (message,)


def flip_hedge(message):
    if isinstance(message, HedgeIntentV1):
        side = "sell" if message.side == "buy" else "buy"
        return (msgspec.structs.replace(message, side=side),)
    return (message,)


def cross_quotes(message):
    if isinstance(message, QuotesV1):
        crossed = tuple(
            msgspec.structs.replace(quote, bid_ticks=quote.ask_ticks) for quote in message.quotes
        )
        return (msgspec.structs.replace(message, quotes=crossed),)
    return (message,)


def lose_theta(message):
    if isinstance(message, PnlV1):
        coin = msgspec.structs.replace(message.coin, edge=message.coin.edge + 1e-6)
        return (msgspec.structs.replace(message, coin=coin),)
    return (message,)


def long_lease(message):
    if isinstance(message, LeaseV1):
        return (msgspec.structs.replace(message, expires_ns=message.expires_ns + 10**9),)
    return (message,)


PLANTED = {
    "the gateway drops a fill": ("gateway", on_output(drop_fill), "venue_equals_fills"),
    "the gateway says a fill twice": ("gateway", on_output(double_fill), "venue_equals_fills"),
    "risk misses a fill": (
        "risk", on_input(FillV1, lambda fill: not is_third(fill)), "risk_equals_fills",
    ),
    "the ledger misses a fill": (
        "ledger", on_input(FillV1, lambda fill: not is_third(fill)), "ledger_equals_fills",
    ),
    "hedging has the wrong sign": ("hedging", on_output(flip_hedge), "hedge_reduces"),
    "quotes are crossed": ("market_making", on_output(cross_quotes), "bid_below_ask"),
    "a term is wrong": ("risk", on_output(lose_theta), "pnl_identity"),
    "a lease is long": ("risk", on_output(long_lease), "lease_bounded"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_planted_bug_is_caught(name):
    service, wrap, invariant = PLANTED[name]
    known = desks.run(7, 30.0, tables=desks.HEDGED, wrap={service: wrap})
    caught = known.invariants.all[invariant]
    assert caught.violation_count > 0, [one for one in known.invariants.report() if one["details"]]


def test_without_a_bug_nothing_is_caught():
    known = desks.run(7, 30.0, tables=desks.HEDGED)
    assert [one for one in known.invariants.report() if one["violations"]] == []
