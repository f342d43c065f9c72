"""Market-maker protection: fixed windows that count what a group of quotes traded.

Deribit's rules: the window opens at its first trade and runs `interval` seconds (it does not
roll); quantity counts both directions, delta and vega are net, with the greeks at trade time. A
breach freezes the group for `frozen_time` seconds, or until reset where that is 0.
"""

from dataclasses import dataclass
from typing import Any

from services.venue.errors import VenueError, invalid
from services.venue.rpc.parameters import Params
from shared.clock import NS_PER_MS, NS_PER_S

GROUPS_MAX = 16
QUANTITY_MAX = {"btc_usd": 500.0, "eth_usd": 5_000.0}
UNTIL_RESET_NS = 2**62


@dataclass(slots=True)
class Group:
    """One MMP group: its limits, its window, and until when it is frozen."""

    index_name: str
    name: str
    interval_s: int
    frozen_s: int
    max_quote_quantity: float
    quantity_limit: float | None = None
    delta_limit: float | None = None
    vega_limit: float | None = None
    window_start_ns: int = 0  # 0: no window is open
    quantity: float = 0.0
    delta: float = 0.0
    vega: float = 0.0
    frozen_until_ns: int = 0

    def wire(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "index_name": self.index_name,
            "mmp_group": self.name,
            "interval": self.interval_s,
            "frozen_time": self.frozen_s,
            "max_quote_quantity": self.max_quote_quantity,
        }
        for name in ("quantity_limit", "delta_limit", "vega_limit"):
            if (value := getattr(self, name)) is not None:
                body[name] = value
        return body

    def is_frozen(self, now_ns: int) -> bool:
        return now_ns < self.frozen_until_ns

    def frozen_until_ms(self) -> int:
        """Returns the end of the freeze as the wire shows it; 0 until a reset."""
        return 0 if self.frozen_until_ns >= UNTIL_RESET_NS else self.frozen_until_ns // NS_PER_MS

    def reset(self) -> None:
        self.frozen_until_ns = 0
        self._clear()

    def on_trade(self, amount: float, delta: float, vega: float, now_ns: int) -> bool:
        """Counts a trade of `amount` coins with signed greeks; True if the group just froze."""
        if self.is_frozen(now_ns) or self.interval_s == 0:
            return False
        if self.window_start_ns and now_ns >= self.window_start_ns + self.interval_s * NS_PER_S:
            self._clear()
        if not self.window_start_ns:
            self.window_start_ns = now_ns
        self.quantity += amount
        self.delta += delta
        self.vega += vega
        if not self._is_breached():
            return False
        freeze_ns = self.frozen_s * NS_PER_S
        self.frozen_until_ns = now_ns + freeze_ns if freeze_ns else UNTIL_RESET_NS
        self._clear()
        return True

    def _is_breached(self) -> bool:
        limits = (
            (self.quantity, self.quantity_limit),
            (abs(self.delta), self.delta_limit),
            (abs(self.vega), self.vega_limit),
        )
        return any(limit is not None and value >= limit for value, limit in limits)

    def _clear(self) -> None:
        self.window_start_ns = 0
        self.quantity = self.delta = self.vega = 0.0


class Groups:
    """The groups of one account, by index and name; the unnamed group has the empty name."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], Group] = {}

    def find(self, index_name: str, name: str) -> Group | None:
        return self._groups.get((index_name, name))

    def select(self, index_name: str, name: str | None) -> list[Group]:
        """Returns the groups that match; "all" and None match any."""
        return [
            group
            for group in self._groups.values()
            if index_name in ("all", group.index_name) and name in (None, group.name)
        ]

    def configure(self, params: Params, index_names: tuple[str, ...]) -> Group | None:
        """Sets or (interval 0) removes a group. Limits that are left out become undefined."""
        index_name = params.choice("index_name", index_names)
        name = params.text("mmp_group", "", length_max=64)
        interval_s = params.integer("interval", low=0, high=86_400)
        if interval_s == 0:
            self._groups.pop((index_name, name), None)
            return None
        frozen_s = params.integer("frozen_time", low=0, high=86_400)
        quantity_max = QUANTITY_MAX[index_name]
        max_quote = params.number("max_quote_quantity")
        if not 0 < max_quote <= quantity_max:
            raise invalid("max_quote_quantity", f"must be in (0, {quantity_max}]")
        limits = {
            limit: _limit(params, limit)
            for limit in ("quantity_limit", "delta_limit", "vega_limit")
        }
        quantity, delta = limits["quantity_limit"], limits["delta_limit"]
        if quantity is not None and quantity > quantity_max:
            raise invalid("quantity_limit", f"at most {quantity_max}")
        if quantity is not None and delta is not None and delta >= quantity:
            raise invalid("delta_limit", "must be less than quantity_limit")
        old = self._groups.get((index_name, name))
        if old is None and len(self._groups) >= GROUPS_MAX:
            raise VenueError(11050, data={"reason": f"at most {GROUPS_MAX} MMP groups"})
        group = old or Group(index_name, name, interval_s, frozen_s, max_quote)
        group.interval_s, group.frozen_s = interval_s, frozen_s
        group.max_quote_quantity = max_quote
        group.quantity_limit, group.delta_limit = quantity, delta
        group.vega_limit = limits["vega_limit"]
        self._groups[index_name, name] = group
        return group


def _limit(params: Params, name: str) -> float | None:
    """Returns a limit with the wire's four decimals, or None where it is left out."""
    if not params.has(name):
        return None
    value = round(params.number(name), 4)
    if value <= 0:
        raise invalid(name, "must be positive")
    return value
