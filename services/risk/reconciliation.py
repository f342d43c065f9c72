"""Risk's positions and cash against the venue's account.

The two can only be compared when they speak of the same trades: the account's word carries the
newest trade the gateway knew before it asked, and fills may pass it on the way. So a difference is
a break only when it stands on two words in a row.
"""

from dataclasses import dataclass

from services.risk.positions import Positions
from shared.messages.orders import AccountV1
from shared.messages.risk import ReconciliationV1
from shared.settlement import is_settling
from shared.units import E12, coin_e12_nearest

CASH_TOLERANCE_E12_PER_FILL = 20_000  # 2e-8 coin a fill: the venue rounds each cash flow
CASH_TOLERANCE_E12 = 1_000_000  # and 1e-6 coin for its own statement


@dataclass(frozen=True)
class Difference:
    excess_lots: dict[str, int]  # ours less the venue's
    cash_coin_e12: int  # the venue's less ours, beyond rounding; 0 within

    def is_none(self) -> bool:
        return not self.excess_lots and not self.cash_coin_e12

    def stands_in(self, other: "Difference") -> bool:
        """Returns whether any part of this difference is in the other too."""
        return bool(self.excess_lots.items() & other.excess_lots.items()) or (
            self.cash_coin_e12 * other.cash_coin_e12 > 0
        )


NO_DIFFERENCE = Difference({}, 0)


class Reconciliation:
    """Of one currency. `is_broken` once a difference has been confirmed, until the two agree."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.check_count = 0
        self.break_count = 0
        self.broken_since_ns = 0  # 0: not broken
        self._suspect = NO_DIFFERENCE
        self._awaited_trade_id = ""
        self._deposit_coin_e12: int | None = None  # the balance less what fills explain

    @property
    def is_broken(self) -> bool:
        return self.broken_since_ns > 0

    def check(self, account: AccountV1, positions: Positions) -> ReconciliationV1 | None:
        """Returns the verdict, or None while the two are not quiet."""
        if not self._is_quiet(account, positions):
            return None
        difference, cash = self._difference(account, positions)
        if not difference.is_none() and not difference.stands_in(self._suspect):
            self._suspect = difference  # a fill may be under way: wait for the next word
            return None
        self._suspect = difference
        self.check_count += 1
        if difference.is_none():
            self.broken_since_ns = 0
        elif not self.is_broken:
            self.broken_since_ns = account.created_ns
            self.break_count += 1
        return ReconciliationV1(
            created_ns=account.created_ns,
            currency=self.currency,
            check_count=self.check_count,
            break_count=self.break_count,
            is_equal=difference.is_none(),
            detail=describe(difference),
            cash_difference_coin_e12=cash,
        )

    def expect_delivery_fee(self) -> None:
        """The venue's history of deliveries does not say their fees. What its table says is in our
        cash; that it was charged is not taken for granted: count cash anew."""
        self._deposit_coin_e12 = None

    def _is_quiet(self, account: AccountV1, positions: Positions) -> bool:
        """Returns whether both sides know the same trades; a trade that stays away is no excuse."""
        if is_settling(account.venue_ns):
            return False
        newest = account.last_trade_id
        if newest and not positions.has_seen(newest) and newest != self._awaited_trade_id:
            self._awaited_trade_id = newest
            return False
        return positions.last_venue_ns <= account.venue_ns

    def _difference(self, account: AccountV1, positions: Positions) -> tuple[Difference, int]:
        """Returns the difference beyond rounding, and the plain cash difference."""
        ours = positions.open_lots()
        venue = {p.instrument: p.position_lots for p in account.positions}
        excess = {name: ours.get(name, 0) - venue.get(name, 0) for name in sorted({*ours, *venue})}
        excess = {name: lots for name, lots in excess.items() if lots}
        explained = coin_e12_nearest(positions.venue_cash_coin())
        if self._deposit_coin_e12 is None:
            if excess:
                return Difference(excess, 0), 0
            self._deposit_coin_e12 = account.balance_coin_e12 - explained
        cash = account.balance_coin_e12 - self._deposit_coin_e12 - explained
        allowed = CASH_TOLERANCE_E12 + CASH_TOLERANCE_E12_PER_FILL * positions.fill_count
        return Difference(excess, cash if abs(cash) > allowed else 0), cash


def describe(difference: Difference) -> str:
    """Returns a difference in words, bounded; empty for none."""
    if difference.is_none():
        return ""
    parts = [f"{name}: {lots:+d} lots" for name, lots in difference.excess_lots.items()]
    parts.append(f"cash {difference.cash_coin_e12 / E12:+.9f}")
    return ("ours less the venue's " + ", ".join(parts))[:1000]
