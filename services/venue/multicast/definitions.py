"""Instruments' definitions: messages 1000 and 1010, the same facts as `public/get_instruments`."""

from typing import Any

from services.venue.market.listing import public_instrument
from services.venue.multicast.layouts import (
    INSTRUMENT,
    INSTRUMENT_BLOCK,
    INSTRUMENT_V2,
    INSTRUMENT_V2_BLOCK,
    NULL,
    TICK_STEP,
    VERSION_INSTRUMENT_V2,
    group,
    message,
    text,
)
from shared.messages.market import Instrument

STATES = {"created": 0, "open": 1, "closed": 2, "settled": 3}
KINDS = {"future": 0, "option": 1}
REVERSED = 1
OPTION_TYPES = {"": 0, "call": 1, "put": 2}
PERIODS = {"perpetual": 0, "day": 3, "week": 4, "month": 5}


def definitions(instrument: Instrument, created_ns: int, state: str) -> list[bytes]:
    """Returns both messages that define an instrument."""
    shown = public_instrument(instrument, created_ns, state)
    name = text(instrument.name)
    head = (
        instrument.instrument_id,
        STATES[state],
        KINDS[shown["kind"]],
        REVERSED,
        OPTION_TYPES[shown.get("option_type", "")],
    )
    tail = _tail(shown)
    steps = [(step["above_price"], step["tick_size"]) for step in shown["tick_size_steps"]]
    rfq = int(shown["rfq"])
    first = message(INSTRUMENT, INSTRUMENT_BLOCK.pack(*head, rfq, *tail), texts=1)
    second = message(
        INSTRUMENT_V2,
        INSTRUMENT_V2_BLOCK.pack(*head, *tail),
        groups=1,
        texts=1,
        version=VERSION_INSTRUMENT_V2,
    )
    return [first + name, second + group(TICK_STEP, steps) + name]


def _tail(shown: dict[str, Any]) -> tuple[Any, ...]:
    """Returns what both messages hold from the settlement period on."""
    period = PERIODS[shown["settlement_period"]]
    base = shown["base_currency"]
    currencies = (
        base, shown["quote_currency"], shown["counter_currency"], shown["settlement_currency"],
        base if shown["kind"] == "option" else shown["counter_currency"],
    )  # fmt: skip
    return (
        period,
        1 if period else 0,
        *(currency.encode("ascii") for currency in currencies),
        shown["creation_timestamp"],
        shown["expiration_timestamp"],
        shown.get("strike", NULL),
        shown["contract_size"],
        shown["min_trade_amount"],
        shown["tick_size"],
        shown["maker_commission"],
        shown["taker_commission"],
        shown["block_trade_commission"],
        shown.get("max_liquidation_commission", NULL),
        shown.get("max_leverage", NULL),
    )
