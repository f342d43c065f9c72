"""The venue's rate limits, kept on our side of the wire so that they are never run into.

The venue counts credits per kind of call and ends a session that overdraws (error 10028). Figures:
docs.deribit.com, article rate-limits; the matching-engine ones are the lowest tier until the
account summary tells this account's own.
"""

from typing import Any

from shared.clock import NS_PER_S

SAFETY_RATIO = 0.9  # of what the venue allows: its clock is not ours
SHARE_RATIO = 0.5  # gateway and market_making draw on one account's credits for common calls
CANCEL_METHODS = frozenset(
    {
        "private/cancel",
        "private/cancel_all",
        "private/cancel_all_by_currency",
        "private/cancel_all_by_instrument",
        "private/cancel_by_label",
        "private/cancel_quotes",
    }
)
TRADING_METHODS = frozenset(
    {"private/buy", "private/sell", "private/edit", "private/edit_by_label"}
)
SUBSCRIBE_METHODS = frozenset(
    {"public/subscribe", "private/subscribe", "public/unsubscribe", "private/unsubscribe"}
)


class Bucket:
    """Credits that refill evenly up to a burst."""

    __slots__ = ("_credits", "_last_ns", "burst", "per_s")

    def __init__(self, burst: float, per_s: float) -> None:
        self.burst = burst * SAFETY_RATIO
        self.per_s = per_s * SAFETY_RATIO
        self._credits = self.burst
        self._last_ns = 0

    def has(self, cost: float, now_ns: int) -> bool:
        """Returns whether `cost` can be paid; a cost above the burst waits for a full bucket."""
        if now_ns > self._last_ns:
            earned = (now_ns - self._last_ns) / NS_PER_S * self.per_s
            self._credits = min(self.burst, self._credits + earned)
            self._last_ns = now_ns
        return self._credits >= min(cost, self.burst)

    def used_ratio(self, now_ns: int) -> float:
        """Returns the share of the burst that has not come back yet; above 1: overdrawn."""
        self.has(0.0, now_ns)
        return 1.0 - self._credits / self.burst if self.burst else 0.0

    def pay(self, cost: float) -> None:
        """Takes credits; may overdraw, for what must never wait."""
        self._credits = max(self._credits - cost, -self.burst)

    def empty(self) -> None:
        """The venue said that we overdrew."""
        self._credits = min(self._credits, 0.0)

    def resize(self, burst: float, per_s: float) -> None:
        self.burst = burst * SAFETY_RATIO
        self.per_s = per_s * SAFETY_RATIO
        self._credits = min(self._credits, self.burst)


class CreditBudget:
    """What may be sent now. One per connection's account."""

    def __init__(self) -> None:
        # 50,000 credits at 500 a call, 10,000 a second; and so on.
        self._plain = Bucket(burst=100 * SHARE_RATIO, per_s=20 * SHARE_RATIO)
        self._subscribe = Bucket(burst=10 * SHARE_RATIO, per_s=3.3 * SHARE_RATIO)
        self._instruments = Bucket(burst=50 * SHARE_RATIO, per_s=1 * SHARE_RATIO)
        self._trading = Bucket(burst=20, per_s=5)
        self._mass_quotes = Bucket(burst=10, per_s=10)
        self._quotes = Bucket(burst=500, per_s=500)

    def admit(self, method: str, params: dict[str, Any], now_ns: int) -> bool:
        """Returns whether the call may go now, and if so pays for it. Cancels always may."""
        if method == "private/mass_quote":
            quotes = params.get("quotes")
            count = len(quotes) if isinstance(quotes, list | tuple) else 1
            if not (self._mass_quotes.has(1, now_ns) and self._quotes.has(count, now_ns)):
                return False
            self._mass_quotes.pay(1)
            self._quotes.pay(count)
            return True
        bucket = self._bucket(method)
        if method in CANCEL_METHODS or bucket.has(1, now_ns):
            bucket.pay(1)
            return True
        return False

    def used_ratio(self, now_ns: int) -> float:
        """Returns how far the scarcest kind of credit is used up."""
        buckets = (
            self._plain, self._subscribe, self._instruments, self._trading, self._mass_quotes,
            self._quotes,
        )  # fmt: skip
        return max(bucket.used_ratio(now_ns) for bucket in buckets)

    def overdrawn(self, method: str) -> None:
        """The venue answered 10028: nothing more of that kind until credits have come back."""
        for bucket in (self._bucket(method), self._plain):
            bucket.empty()

    def learn(self, summary: Any) -> None:
        """Takes this account's limits from a get_account_summary result, where it has them."""
        limits = _table(_table(summary).get("limits"))
        engine = _table(limits.get("matching_engine"))
        self._resize(self._trading, _table(engine.get("trading")).get("total"))
        self._resize(self._quotes, engine.get("maximum_quotes", engine.get("quotes")))
        self._resize(self._mass_quotes, engine.get("maximum_mass_quotes", engine.get("max_quotes")))

    def _bucket(self, method: str) -> Bucket:
        if method in TRADING_METHODS or method in CANCEL_METHODS:
            return self._trading
        if method == "private/mass_quote":
            return self._mass_quotes
        if method in SUBSCRIBE_METHODS:
            return self._subscribe
        if method == "public/get_instruments":
            return self._instruments
        return self._plain

    @staticmethod
    def _resize(bucket: Bucket, limit: Any) -> None:
        figures = _table(limit)
        burst, per_s = _figure(figures.get("burst")), _figure(figures.get("rate"))
        if burst is not None and per_s is not None:
            bucket.resize(burst, per_s)


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _figure(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        return None
    return float(value)
