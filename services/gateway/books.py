"""A limit order book built from the venue's changes, each of which names the one before it."""

from typing import Any

PRICE_TICKS_MAX = 10**12
LOTS_MAX = 10**12
GRID_TOLERANCE = 1e-3  # of a tick


class BookGapError(ValueError):
    """A change is missing: the book is wrong until the next snapshot."""


class Book:
    """Both sides in ticks and lots. Not synced until a snapshot has come."""

    __slots__ = (
        "_amount_scale",
        "_asks",
        "_bids",
        "_change_id",
        "_price_scale",
        "ask_ticks",
        "bid_ticks",
        "is_synced",
    )

    def __init__(self, price_scale: float, amount_scale: float) -> None:
        self._price_scale = price_scale  # ticks per unit of price
        self._amount_scale = amount_scale  # lots per unit of amount
        self._bids: dict[int, int] = {}  # lots by ticks
        self._asks: dict[int, int] = {}
        self._change_id = 0
        self.is_synced = False
        self.bid_ticks = 0  # 0: that side is empty
        self.ask_ticks = 0

    @property
    def bid_lots(self) -> int:
        return self._bids.get(self.bid_ticks, 0)

    @property
    def ask_lots(self) -> int:
        return self._asks.get(self.ask_ticks, 0)

    def reset(self) -> None:
        self._bids.clear()
        self._asks.clear()
        self.bid_ticks = self.ask_ticks = 0
        self.is_synced = False

    def apply(self, data: dict[str, Any]) -> bool:
        """Takes one notification. Returns whether it was used: changes before a snapshot are not.

        Raises BookGapError where a change is missing or the book has crossed.
        """
        change_id = data["change_id"]
        if not isinstance(change_id, int):
            raise TypeError("change id")
        previous = data.get("prev_change_id")
        # A new instrument's first book can come as a change after nothing.
        if data.get("type") == "snapshot" or previous in (None, 0):
            self.reset()
            self.is_synced = True
        elif not self.is_synced:
            return False
        elif previous != self._change_id:
            self.reset()
            raise BookGapError(f"change {change_id} follows {previous}, had {self._change_id}")
        try:
            self._take(self._bids, data["bids"])
            self._take(self._asks, data["asks"])
        except BaseException:
            self.reset()  # half a change is no book
            raise
        self._change_id = change_id
        self.bid_ticks = max(self._bids) if self._bids else 0
        self.ask_ticks = min(self._asks) if self._asks else 0
        if self.ask_ticks and self.bid_ticks >= self.ask_ticks:
            crossed = f"crossed at {self.bid_ticks} and {self.ask_ticks} ticks"
            self.reset()
            raise BookGapError(crossed)
        return True

    def _take(self, side: dict[int, int], levels: list[Any]) -> None:
        for action, price, amount in levels:
            price_ticks = ticks_on_grid(price, self._price_scale)
            if action == "delete":
                side.pop(price_ticks, None)
            elif action in ("new", "change"):
                amount_lots = lots_of(amount, self._amount_scale)
                if amount_lots:
                    side[price_ticks] = amount_lots
                else:
                    side.pop(price_ticks, None)
            else:
                raise ValueError(f"unknown action {action!r}")


def ticks_on_grid(price: float, price_scale: float) -> int:
    """Returns the price in ticks. Raises ValueError where it is not positive or not on the grid."""
    scaled = price * price_scale
    price_ticks = round(scaled)
    if abs(scaled - price_ticks) > GRID_TOLERANCE or not 0 < price_ticks <= PRICE_TICKS_MAX:
        raise ValueError(f"price {price} is not on the grid")
    return price_ticks


def lots_of(amount: float, amount_scale: float) -> int:
    """Returns the nearest whole lots. Raises ValueError where the amount is negative or absurd."""
    amount_lots = round(amount * amount_scale)
    if not 0 <= amount_lots <= LOTS_MAX:
        raise ValueError(f"amount {amount}")
    return amount_lots
