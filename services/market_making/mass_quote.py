"""The venue's words for quotes: requests built, answers read. Deribit JSON-RPC, private/mass_quote.

Answers come from outside: whatever does not look as documented is left out, never raised.
"""

from typing import Any, TypeGuard

import msgspec

from native.engine import ASK, BID, Decision
from services.market_making.policy import Protection
from shared.venue_link import is_quote_trade

QUOTES_PER_REQUEST_MAX = 100
SIDE_NAMES = {"bid": BID, "ask": ASK}
MMP_TRIGGERED = 13030
OWN_TRADES_CHANNEL = "user.trades.any.any.raw"
TRIP_CHANNEL = "user.mmp_trigger."
COIN_DIGITS = 10  # prices and amounts have far fewer; rounds away binary noise


class Contract(msgspec.Struct, frozen=True):
    """What of an instrument its quotes need."""

    name: str
    tick_coin: float
    lot_coin: float


class SideError(msgspec.Struct, frozen=True):
    """One side of one quote that the venue refused: nothing of it rests."""

    instrument: str
    side: int
    code: int
    text: str


class OwnTrade(msgspec.Struct, frozen=True):
    """A trade of the desk's account, from its own channel."""

    trade_id: str
    instrument: str
    is_buy: bool
    amount: float
    price: float
    is_quote: bool


def index_name(underlying: str) -> str:
    return f"{underlying.lower()}_usd"


def group_name(underlying: str) -> str:
    return f"hedgerow-{underlying.lower()}"


def trip_channel(underlying: str) -> str:
    """Returns the channel that tells when the venue's protection has tripped."""
    return f"{TRIP_CHANNEL}{index_name(underlying)}"


def trip_channels(underlyings: list[str]) -> list[str]:
    return [trip_channel(name) for name in underlyings]


def mass_quote_params(
    underlying: str, quote_id: int, quotes: list[tuple[Contract, Decision]]
) -> dict[str, Any]:
    """Returns the params of one request; sides that stay are left out and stay."""
    assert len(quotes) <= QUOTES_PER_REQUEST_MAX
    entries = []
    for contract, decision in quotes:
        entry: dict[str, Any] = {"instrument_name": contract.name}
        if decision.is_bid_moved:
            entry["bid"] = _side(contract, decision.bid_ticks, decision.bid_lots)
        if decision.is_ask_moved:
            entry["ask"] = _side(contract, decision.ask_ticks, decision.ask_lots)
        entries.append(entry)
    return {
        "quote_id": str(quote_id),
        "mmp_group": group_name(underlying),
        "detailed": False,
        "quotes": entries,
    }


def _side(contract: Contract, ticks: int, lots: int) -> dict[str, Any]:
    if lots == 0:
        return {"amount": 0}
    return {
        "price": round(ticks * contract.tick_coin, COIN_DIGITS),
        "amount": round(lots * contract.lot_coin, COIN_DIGITS),
        "post_only": True,
        "reject_post_only": True,
    }


def cancel_quotes_params(underlying: str) -> dict[str, Any]:
    return {"cancel_type": "currency", "currency": underlying}


def mmp_config_params(underlying: str, window: Protection, quote_coin_max: float) -> dict[str, Any]:
    """Returns params of set_mmp_config; frozen_time 0: frozen until we reset it ourselves."""
    return {
        "index_name": index_name(underlying),
        "mmp_group": group_name(underlying),
        "interval": window.interval_s,
        "frozen_time": 0,
        "quantity_limit": round(window.quantity_coin, 4),
        "delta_limit": round(window.delta_coin, 4),
        "vega_limit": round(window.vega_usd, 4),
        "max_quote_quantity": round(quote_coin_max, 4),
    }


def reset_mmp_params(underlying: str) -> dict[str, Any]:
    return {"index_name": index_name(underlying), "mmp_group": group_name(underlying)}


def side_errors(result: Any) -> list[SideError]:
    """Returns the sides that a mass_quote answer says were refused."""
    found = []
    for entry in _rows(result.get("errors") if isinstance(result, dict) else None):
        error = entry.get("error")
        side = SIDE_NAMES.get(str(entry.get("side")))
        name = entry.get("instrument_name")
        if side is None or not isinstance(name, str):
            continue
        code = error.get("code") if isinstance(error, dict) else None
        text = error.get("message") if isinstance(error, dict) else ""
        found.append(SideError(name, side, code if isinstance(code, int) else 0, str(text)[:200]))
    return found


def own_trades(data: Any) -> list[OwnTrade]:
    """Returns the trades in a user.trades notice."""
    found = []
    for row in _rows(data):
        trade_id, name = row.get("trade_id"), row.get("instrument_name")
        amount, price = row.get("amount"), row.get("price")
        direction = row.get("direction")
        if not (isinstance(trade_id, str) and isinstance(name, str)):
            continue
        if direction not in ("buy", "sell") or not (_is_number(amount) and _is_number(price)):
            continue
        found.append(
            OwnTrade(
                trade_id,
                name,
                direction == "buy",
                float(amount),
                float(price),
                is_quote_trade(row),
            )
        )
    return found


def request_rates(result: Any) -> tuple[float, float, float, float] | None:
    """Returns (requests per s, their burst, quotes per s, their burst) of an account summary."""
    limits = result.get("limits") if isinstance(result, dict) else None
    engine = limits.get("matching_engine") if isinstance(limits, dict) else None
    if not isinstance(engine, dict):
        return None
    figures: list[float] = []
    for name in ("maximum_mass_quotes", "maximum_quotes"):
        row = engine.get(name)
        if not isinstance(row, dict):
            return None
        for figure in (row.get("rate"), row.get("burst")):
            if not _is_number(figure) or not 0 < figure < 1e6:
                return None
            figures.append(float(figure))
    return figures[0], figures[1], figures[2], figures[3]


def _rows(value: Any) -> list[dict[str, Any]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
