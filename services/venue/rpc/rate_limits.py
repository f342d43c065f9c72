"""Credits: token buckets on venue time, in integers. Deribit's rules and figures: an exhausted
bucket answers 10028 and the session is terminated."""

from dataclasses import dataclass, field
from typing import Any

from shared.clock import NS_PER_S

REQUEST_COST = 500
INSTRUMENTS_COST = 10_000
SUBSCRIBE_COST = 3_000
# Ten times the documented 30,000 and 10,000 a second: clients that work against the real venue
# (NautilusTrader) send one subscribe a channel and do not pace themselves.
SUBSCRIBE_POOL = 300_000
SUBSCRIBE_REFILL = 100_000


@dataclass(frozen=True, slots=True)
class Tier:
    """What the matching engine allows an account: `_burst` at once, `_rate` a second."""

    trading_burst: int = 100
    trading_rate: int = 30
    mass_quote_burst: int = 100
    mass_quote_rate: int = 50
    quotes_burst: int = 500
    quotes_rate: int = 500
    cancel_all_burst: int = 250
    cancel_all_rate: int = 200

    def wire(self) -> dict[str, Any]:
        """Returns `limits` as get_account_summary shows them."""
        quotes = {"burst": self.quotes_burst, "rate": self.quotes_rate}
        trading = {"burst": self.trading_burst, "rate": self.trading_rate}
        mass_quotes = {"burst": self.mass_quote_burst, "rate": self.mass_quote_rate}
        return {
            "limits_per_currency": False,
            "non_matching_engine": {"burst": 100, "rate": 20},
            "matching_engine": {
                "trading": {"total": trading},
                "spot": trading,
                "quotes": quotes,  # as the reference has them, then as the guide on limits does
                "max_quotes": mass_quotes,
                "guaranteed_quotes": {"burst": 2, "rate": 2},
                "maximum_quotes": quotes,
                "maximum_mass_quotes": mass_quotes,
                "guaranteed_mass_quotes": {"burst": 2, "rate": 2},
                "cancel_all": {"burst": self.cancel_all_burst, "rate": self.cancel_all_rate},
            },
        }


class Bucket:
    """Credits that refill evenly up to a capacity; exact integer arithmetic in credit-ns."""

    __slots__ = ("_capacity", "_level", "_rate", "_updated_ns")

    def __init__(self, capacity: int, rate_per_s: int, now_ns: int) -> None:
        self._capacity = capacity * NS_PER_S
        self._rate = rate_per_s
        self._level = self._capacity
        self._updated_ns = now_ns

    def take(self, cost: int, now_ns: int) -> bool:
        """Takes `cost` credits if they are there."""
        elapsed_ns = max(0, now_ns - self._updated_ns)
        self._updated_ns = max(self._updated_ns, now_ns)
        self._level = min(self._capacity, self._level + elapsed_ns * self._rate)
        if self._level < cost * NS_PER_S:
            return False
        self._level -= cost * NS_PER_S
        return True


@dataclass(slots=True)
class Allowance:
    """The buckets of one account, or of one connection that has not logged in."""

    tier: Tier
    created_ns: int
    _buckets: dict[str, Bucket] = field(default_factory=dict)

    def take(self, kind: str, now_ns: int, count: int = 1) -> bool:
        """Takes one request of a kind: request, instruments, subscribe, trading, mass_quote,
        quotes (`count` of them) or cancel_all."""
        bucket = self._buckets.get(kind)
        capacity, rate, cost = self._terms(kind)
        if bucket is None:
            bucket = self._buckets[kind] = Bucket(capacity, rate, self.created_ns)
        return bucket.take(cost * count, now_ns)

    def _terms(self, kind: str) -> tuple[int, int, int]:
        tier = self.tier
        match kind:
            case "instruments":
                return 500_000, 10_000, INSTRUMENTS_COST
            case "subscribe":
                return SUBSCRIBE_POOL, SUBSCRIBE_REFILL, SUBSCRIBE_COST
            case "trading":
                return tier.trading_burst, tier.trading_rate, 1
            case "mass_quote":
                return tier.mass_quote_burst, tier.mass_quote_rate, 1
            case "quotes":
                return tier.quotes_burst, tier.quotes_rate, 1
            case "cancel_all":
                return tier.cancel_all_burst, tier.cancel_all_rate, 1
            case _:
                return 50_000, 10_000, REQUEST_COST
