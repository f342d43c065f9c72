"""What happens by the clock: marks kept for history, the daily settlement, expiry and delivery.

At 08:00 UTC the currency is closed for some seconds (10041). Futures settle at their marks;
what expires is delivered at the time-weighted average of the index over the half hour before.
"""

import itertools
import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.venue.accounts.accounts import FIRST_USER
from services.venue.accounts.margin import Margin
from services.venue.matching.exchange import Exchange
from services.venue.rpc.views import Views
from shared.clock import NS_PER_DAY, NS_PER_MS, NS_PER_S
from shared.settlement import next_settlement_ns
from shared.units import E8, E12

HOUR_NS = 3600 * NS_PER_S
TWAP_NS = 1800 * NS_PER_S
SAMPLE_NS = 6 * NS_PER_S  # of the index for the average: 300 in half an hour
SAMPLES_KEPT = 1_500
MARKS_KEPT = 600  # seconds of marks of every instrument
EVENTS_MAX = 20_000
DELIVERY_FEE_SHARE = 0.5  # of the taker fee; dailies are delivered free


@dataclass(frozen=True, slots=True)
class Moved:
    """What a settlement or delivery did to one account: the lots it held, coin in, fee out."""

    lots: int
    cash_e12: int
    fee_e12: int = 0


class Settlement:
    def __init__(
        self, exchange: Exchange, margin: Margin, views: Views, closed_ns: int, now_ns: int
    ) -> None:
        self._exchange = exchange
        self._margin = margin
        self._views = views
        self._closed_ns = closed_ns  # how long the daily settlement takes
        self.next_ns = next_settlement_ns(now_ns)
        self._next_sample_ns = 0
        self.samples: dict[str, deque[tuple[int, float]]] = {
            currency: deque(maxlen=SAMPLES_KEPT) for currency in exchange.currencies
        }
        # Taken whole when the venue opens: (second, instrument), and venue time in ms, 0: unused.
        self._marks = np.full((MARKS_KEPT, len(exchange.instruments)), 0.0, dtype=np.float32)
        self._marks_ms = np.zeros(MARKS_KEPT, dtype=np.int64)
        self._marks_count = 0
        self.vols: dict[str, deque[tuple[int, float]]] = {
            currency: deque(maxlen=SAMPLES_KEPT) for currency in exchange.currencies
        }
        self.delivered: dict[str, list[dict[str, Any]]] = {
            currency: [] for currency in exchange.currencies
        }
        self.public_events: list[dict[str, Any]] = []
        self.account_events: dict[int, deque[dict[str, Any]]] = {}
        for index in range(len(exchange.instruments)):  # as if the venue had settled on opening
            self._keep_price(index)

    def add_contracts(self, count: int) -> None:
        """So many more follow on those known; they have no marks before now."""
        none = np.full((MARKS_KEPT, count), np.nan, dtype=np.float32)
        self._marks = np.concatenate((self._marks, none), axis=1)

    def on_second(self, now_ns: int) -> int:
        """Keeps samples; settles and delivers when it is time, for each day missed. Returns the
        time of the first settlement that was done now, or 0."""
        at = self._marks_count % MARKS_KEPT
        self._marks[at], self._marks_ms[at] = self._exchange.marks.prices, now_ns // NS_PER_MS
        self._marks_count += 1
        self.sample(now_ns, {c: self._exchange.marks.index_usd(c) for c in self.samples})
        self._sample_vols(now_ns)
        if now_ns < self.next_ns:
            return 0
        first_ns = self.next_ns
        while self.next_ns <= now_ns:
            self._settle(self.next_ns, now_ns)
            self.next_ns += NS_PER_DAY
        return first_ns

    def sample(self, now_ns: int, index_usd: dict[str, float]) -> None:
        """Keeps the index for the average, when it is time."""
        if now_ns >= self._next_sample_ns:
            self._next_sample_ns = now_ns - now_ns % SAMPLE_NS + SAMPLE_NS
            for currency, samples in self.samples.items():
                samples.append((now_ns, index_usd[currency]))

    def resume(self, next_ns: int, samples: dict[str, list[tuple[int, float]]]) -> None:
        """Goes on with the samples of before; a settlement missed meanwhile is due at once."""
        self.next_ns = next_ns
        for currency, seen in samples.items():
            self.samples[currency].extend(seen)
            for at_ns, _ in seen[-1:]:
                self._next_sample_ns = at_ns - at_ns % SAMPLE_NS + SAMPLE_NS

    def delivery_price(self, currency: str, expiry_ns: int) -> float:
        """Returns the average of the index over the half hour before an expiry, or over as much
        of it as the venue has seen."""
        seen = [usd for at, usd in self.samples[currency] if expiry_ns - TWAP_NS <= at <= expiry_ns]
        if not seen:
            return self._exchange.marks.index_usd(currency)
        return round(math.fsum(seen) / len(seen), 4)

    def delivery_prices(self, currency: str) -> list[dict[str, Any]]:
        return list(reversed(self.delivered[currency]))

    def mark_history(self, index: int, start_ms: int, end_ms: int) -> list[list[float]]:
        """Returns marks of the last ten minutes, newest first."""
        newest_first = np.roll(np.arange(MARKS_KEPT), -(self._marks_count % MARKS_KEPT))[::-1]
        rows = zip(self._marks_ms[newest_first], self._marks[newest_first, index], strict=True)
        return [
            [int(at_ms), round(float(price), 8)]
            for at_ms, price in rows
            if at_ms and start_ms <= at_ms <= end_ms and not math.isnan(price)
        ]

    def index_history(self, currency: str) -> list[list[float]]:
        return [[at // NS_PER_MS, usd] for at, usd in self.samples.get(currency, ())]

    def index_hours(self, currency: str, start_ms: int, end_ms: int) -> list[list[float]]:
        """Returns the index at each full hour that was seen, oldest first."""
        hours: list[list[float]] = []
        for (before, _), (at, usd) in itertools.pairwise(self.samples.get(currency, ())):
            hour_ns = at - at % HOUR_NS
            if before < hour_ns and start_ms <= hour_ns // NS_PER_MS <= end_ms:
                hours.append([hour_ns // NS_PER_MS, usd])
        return hours

    def volatility_bars(
        self, currency: str, start_ms: int, end_ms: int, step_ms: int
    ) -> list[list[float]]:
        """Returns open, high, low and close of the volatility index, oldest first."""
        bars: dict[int, list[float]] = {}
        for at, vol in self.vols.get(currency, ()):
            at_ms = at // NS_PER_MS
            if not start_ms <= at_ms <= end_ms:
                continue
            tick_ms = at_ms - at_ms % step_ms
            bar = bars.setdefault(tick_ms, [tick_ms, vol, vol, vol, vol])
            bar[2], bar[3], bar[4] = max(bar[2], vol), min(bar[3], vol), vol
        return list(bars.values())

    def _sample_vols(self, now_ns: int) -> None:
        """Keeps the volatility index, once a minute: it walks the whole chain."""
        for currency, vols in self.vols.items():
            if not vols or now_ns - vols[-1][0] >= 60 * NS_PER_S:
                vols.append((now_ns, self._exchange.marks.volatility_index(currency, now_ns)))

    def realised_vols(self, currency: str) -> list[list[float]]:
        """Returns the realised volatility of the index, in percent, of each full half hour."""
        samples = list(self.samples.get(currency, ()))
        size = TWAP_NS // SAMPLE_NS
        rows = []
        for start in range(0, len(samples) - size, size):
            part = samples[start : start + size + 1]
            moves = [math.log(b[1] / a[1]) ** 2 for a, b in itertools.pairwise(part)]
            years = (part[-1][0] - part[0][0]) / (365 * NS_PER_DAY)
            rows.append([part[-1][0] // NS_PER_MS, 100 * math.sqrt(sum(moves) / years)])
        return rows

    def _settle(self, at_ns: int, now_ns: int) -> None:
        exchange = self._exchange
        for currency in exchange.currencies:
            exchange.settling_until_ns[currency] = now_ns + self._closed_ns
        prices = {c: self.delivery_price(c, at_ns) for c in exchange.currencies}
        for currency, price in prices.items():
            self.delivered[currency].append({"date": _date(at_ns), "delivery_price": price})
        for index, instrument in enumerate(exchange.instruments):
            if exchange.states[index] != "open":
                continue
            if instrument.expiry_ns and instrument.expiry_ns <= at_ns:
                self._deliver(index, prices[instrument.underlying], now_ns)
            else:
                self._settle_one(index, now_ns)
        self._margin.forget()
        for account in exchange.accounts.all():
            if account.is_user:
                exchange.news.accounts.update((account.account_id, c) for c in prices)

    def _settle_one(self, index: int, now_ns: int) -> None:
        """Moves one instrument's session P&L into the balances, at its mark."""
        exchange = self._exchange
        mark = self._keep_price(index)
        if exchange.instruments[index].kind == "option":
            exchange.accounts.settle_option_session(index)
            return
        posted = exchange.accounts.settle_futures(index, mark)
        moved = {
            account_id: Moved(exchange.position_lots(account_id, index), cash)
            for account_id, cash in posted.items()
        }
        self._note(index, "settlement", mark, now_ns, moved)

    def _keep_price(self, index: int) -> float:
        """Shows an instrument's mark as its settlement price from now on; returns it."""
        mark = self._exchange.marks.mark_price(index)
        is_option = self._exchange.instruments[index].kind == "option"
        self._views.settlement_prices[index] = round(mark, 8 if is_option else 2)
        return mark

    def _deliver(self, index: int, price_usd: float, now_ns: int) -> None:
        """Closes an expired instrument: its orders go, its positions are paid in coin."""
        exchange = self._exchange
        instrument = exchange.instruments[index]
        for order in exchange.orders.live_in(index):
            exchange.cancel(order, "instrument_expired", now_ns)
        exchange.close(index)
        self._views.delivery_prices[index] = price_usd
        if instrument.kind != "option":
            paid = exchange.accounts.deliver_future(index, price_usd)
            fees = self._charge_future(index, price_usd, paid)
        else:
            sign = 1.0 if instrument.is_call else -1.0
            intrinsic = max(sign * (price_usd - instrument.strike_usd), 0.0) / price_usd
            per_lot_e12 = round(intrinsic * instrument.lot_e8 / E8 * E12)
            paid = exchange.accounts.deliver_option(index, per_lot_e12)
            fees = self._charge_option(index, per_lot_e12, paid)
        exchange.history.tapes[index].open_interest_lots = 0
        moved = {
            account_id: Moved(lots, cash, fees.get(account_id, 0))
            for account_id, (lots, cash) in paid.items()
        }
        self._note(index, "delivery", price_usd, now_ns, moved)

    def _charge_option(
        self, index: int, per_lot_e12: int, paid: dict[int, tuple[int, int]]
    ) -> dict[int, int]:
        """Takes the delivery fee: half the taker fee, at most 12.5 % of the payoff. Returns what
        each account was charged, in 1e-12 coin."""
        instrument = self._exchange.instruments[index]
        if instrument.expiry_ns in self._free_days():
            return {}
        share = instrument.taker_fee_ratio * DELIVERY_FEE_SHARE * instrument.lot_e8 / E8
        fee_e12 = min(round(share * E12), per_lot_e12 // 8)
        fees = {account_id: fee_e12 * abs(lots) for account_id, (lots, _) in paid.items()}
        return self._charge(instrument.underlying, fees)

    def _charge_future(
        self, index: int, price_usd: float, paid: dict[int, tuple[int, int]]
    ) -> dict[int, int]:
        instrument = self._exchange.instruments[index]
        ratio = instrument.taker_fee_ratio * DELIVERY_FEE_SHARE
        fees = {
            account_id: round(abs(lots) * instrument.lot_e8 / E8 / price_usd * ratio * E12)
            for account_id, (lots, _) in paid.items()
        }
        return self._charge(instrument.underlying, fees)

    def _charge(self, currency: str, fees: dict[int, int]) -> dict[int, int]:
        for account_id, fee_e12 in fees.items():
            if fee_e12:
                self._exchange.accounts.charge(account_id, currency, fee_e12)
        return fees

    def _free_days(self) -> set[int]:
        """Returns expiries that are neither weekly nor monthly: not on a Friday."""
        return {
            instrument.expiry_ns
            for instrument in self._exchange.instruments
            if instrument.expiry_ns and (instrument.expiry_ns // NS_PER_DAY + 4) % 7 != 5
        }

    def _note(
        self, index: int, kind: str, price: float, now_ns: int, moved: dict[int, "Moved"]
    ) -> None:
        instrument, marks = self._exchange.instruments[index], self._exchange.marks
        row = {
            "type": kind,
            "timestamp": now_ns // NS_PER_MS,
            "instrument_name": instrument.name,
            "mark_price": price,
            "index_price": price if kind == "delivery" else marks.index_usd(instrument.underlying),
        }
        self.public_events.append(row)
        del self.public_events[:-EVENTS_MAX]
        for account_id, part in moved.items():
            if account_id >= FIRST_USER and self._exchange.accounts.get(account_id).is_user:
                events = self.account_events.setdefault(account_id, deque(maxlen=EVENTS_MAX))
                events.append(
                    {**row, "profit_loss": part.cash_e12 / E12,
                     "session_profit_loss": part.cash_e12 / E12,
                     "position": part.lots * instrument.lot_e8 / E8,
                     "commission": part.fee_e12 / E12}
                )  # fmt: skip


def _date(at_ns: int) -> str:
    """Returns `2026-01-12`."""
    return str(np.datetime64(at_ns // NS_PER_DAY, "D"))
