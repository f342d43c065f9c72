"""What the venue lists: its rows turned into instruments, grouped by expiry."""

from typing import Any

from services.gateway.readings import NONSENSE, name, number, stamp_ns
from shared.messages.market import Instrument, InstrumentsV1, Kind, TickStep
from shared.units import E8

VENUE_KINDS = ("option", "future")  # the venue calls the perpetual a future
FEE_RATIO_MAX = 0.1
STEPS_MAX = 8  # as the message holds
EXPIRY_INSTRUMENTS_MAX = 1024


class Listing:
    """Instruments by name, and the message for every expiry that has changed."""

    def __init__(self, underlyings: tuple[str, ...]) -> None:
        self.underlyings = underlyings
        self.by_name: dict[str, Instrument] = {}  # also those no longer listed: fills may follow
        self.refused_count = 0
        self._listed: dict[tuple[str, str], dict[str, Instrument]] = {}
        self._published: dict[tuple[str, int], tuple[Instrument, ...]] = {}

    def take(self, underlying: str, venue_kind: str, rows: list[dict[str, Any]]) -> "Change":
        """Takes a whole get_instruments answer. Returns what came and what went."""
        listed: dict[str, Instrument] = {}
        closed: list[Instrument] = []
        for row in rows:
            try:
                instrument = parse_instrument(row, underlying)
            except NONSENSE:
                self.refused_count += 1
                continue
            if instrument is not None:
                listed[instrument.name] = instrument
                if row.get("is_active") is False or row.get("state", "open") != "open":
                    closed.append(instrument)
        before = self._listed.get((underlying, venue_kind), {})
        self._listed[underlying, venue_kind] = listed
        self.by_name.update(listed)
        return Change(
            added=[listed[name] for name in listed if name not in before],
            removed=[before[name] for name in before if name not in listed],
            closed=closed,
            open=[one for one in listed.values() if one not in closed],
        )

    def remember(self, row: Any, underlying: str) -> Instrument | None:
        """Takes one instrument that is not listed any more (a late fill is about it)."""
        try:
            instrument = parse_instrument(row, underlying)
        except NONSENSE:
            return None
        if instrument is not None:
            self.by_name.setdefault(instrument.name, instrument)
        return instrument

    def messages(self, underlying: str, now_ns: int) -> list[InstrumentsV1]:
        """Returns a message for each expiry that differs from what was last published.

        An expiry that is gone is published empty, since late readers start from the last message.
        """
        expiries: dict[int, list[Instrument]] = {}
        for venue_kind in VENUE_KINDS:
            for instrument in self._listed.get((underlying, venue_kind), {}).values():
                expiries.setdefault(instrument.expiry_ns, []).append(instrument)
        current = {
            (underlying, expiry_ns): tuple(
                sorted(group, key=lambda one: one.name)[:EXPIRY_INSTRUMENTS_MAX]
            )
            for expiry_ns, group in expiries.items()
        }
        for gone in [key for key in self._published if key[0] == underlying]:
            current.setdefault(gone, ())
        changed = []
        for key, instruments in sorted(current.items()):
            if self._published.get(key) != instruments:
                self._published[key] = instruments
                changed.append(
                    InstrumentsV1(
                        created_ns=now_ns,
                        underlying=underlying,
                        expiry_ns=key[1],
                        instruments=instruments,
                    )
                )
            if not instruments:
                self._published.pop(key, None)
        return changed

    def is_complete(self) -> bool:
        """Returns whether every underlying's options and futures have been read once."""
        return all(
            self._listed.get((underlying, venue_kind))
            for underlying in self.underlyings
            for venue_kind in VENUE_KINDS
        )


class Change:
    """What one answer changed, and what of the listed may be traded now."""

    def __init__(
        self,
        added: list[Instrument],
        removed: list[Instrument],
        closed: list[Instrument],
        open: list[Instrument],  # noqa: A002 - the venue's word
    ) -> None:
        self.added = added
        self.removed = removed
        self.closed = closed
        self.open = open


def parse_instrument(row: dict[str, Any], underlying: str) -> Instrument | None:
    """Returns the instrument in a row; None for what the desk does not trade.

    That is combos, spot and linear contracts. Raises one of NONSENSE for a row that cannot be true.
    """
    kind = _kind(row)
    is_inverse = row.get("instrument_type", "reversed") in {"reversed", "not_applicable"}
    if kind is None or not is_inverse or row.get("settlement_currency") != underlying:
        return None
    if row.get("base_currency") != underlying:
        return None
    tick_e8 = _whole(number(row["tick_size"]) * E8)
    expiry_ns = 0 if kind == "perpetual" else stamp_ns(row["expiration_timestamp"])
    if kind == "option" and row["option_type"] not in {"call", "put"}:
        raise ValueError("option type")
    strike_usd = float(row["strike"]) if kind == "option" else 0.0
    if not 0.0 <= strike_usd < 1e12:
        raise ValueError("strike")
    steps = sorted(row.get("tick_size_steps") or (), key=lambda step: number(step["above_price"]))
    return Instrument(
        name=name(row["instrument_name"]),
        instrument_id=_whole(number(row["instrument_id"])),
        kind=kind,
        underlying=underlying,
        expiry_ns=expiry_ns,
        strike_usd=strike_usd,
        is_call=kind == "option" and row["option_type"] == "call",
        tick_e8=tick_e8,
        tick_steps=tuple(
            TickStep(
                above_ticks=_whole(number(step["above_price"]) * E8 / tick_e8),
                step_ticks=_whole(number(step["tick_size"]) * E8 / tick_e8),
            )
            for step in steps[:STEPS_MAX]
        ),
        lot_e8=_whole(number(row["min_trade_amount"]) * E8),
        maker_fee_ratio=_fee(number(row["maker_commission"])),
        taker_fee_ratio=_fee(number(row["taker_commission"])),
    )


def _kind(row: dict[str, Any]) -> Kind | None:
    if row.get("kind") == "option":
        return "option"
    if row.get("kind") == "future":
        return "perpetual" if row.get("settlement_period") == "perpetual" else "future"
    return None


def _whole(value: float) -> int:
    """Returns a positive whole number that the venue wrote as a float, or raises ValueError."""
    nearest = round(value)
    if abs(value - nearest) > 1e-6 * max(1.0, abs(value)) or not 0 < nearest < 2**62:
        raise ValueError(f"{value} is not a positive whole number")
    return nearest


def _fee(value: float) -> float:
    if not -FEE_RATIO_MAX <= value <= FEE_RATIO_MAX:
        raise ValueError(f"fee ratio {value}")
    return float(value)
