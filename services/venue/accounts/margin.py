"""Margin-lite: what an account is worth, what it is exposed to, and what it may still do.

Initial margin: short options max(0.15 - out-of-the-money ratio, 0.1) coin a coin plus the mark
(maintenance 0.075 plus the mark), futures 2 % of their coin value (maintenance 1 %), open orders
as if they had traded, quotes 3 % of their group's maximum quote quantity.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from services.venue.accounts.accounts import worth_e12
from services.venue.matching.orders import BUY, Order
from services.venue.matching.price_grid import coins_of
from shared.units import E12, amount_from_lots, price_from_ticks

if TYPE_CHECKING:
    from services.venue.matching.exchange import Exchange

FUTURE_INITIAL = 0.02
FUTURE_MAINTENANCE = 0.01
OPTION_INITIAL = 0.15
OPTION_INITIAL_MIN = 0.1
OPTION_MAINTENANCE = 0.075
QUOTE_RESERVE = 0.03


@dataclass(frozen=True, slots=True)
class Totals:
    """One account in one currency at the marks; money in coin, unless named otherwise."""

    options_value: float = 0.0
    options_delta: float = 0.0  # net transaction delta
    options_gamma: float = 0.0
    options_vega_usd: float = 0.0
    options_theta_usd: float = 0.0
    options_upl: float = 0.0
    futures_delta: float = 0.0
    futures_upl_e12: int = 0
    initial: float = 0.0  # of positions
    maintenance: float = 0.0

    @property
    def delta_total(self) -> float:
        return self.options_delta + self.futures_delta


class Margin:
    """Numbers on demand, kept until a mark, a trade or an order changes them."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self._kept: dict[tuple[int, str], tuple[int, int, Totals]] = {}

    def totals(self, account_id: int, currency: str) -> Totals:
        account = self._exchange.accounts.get(account_id)
        version = self._exchange.marks.version
        kept = self._kept.get((account_id, currency))
        if kept is not None and kept[0] == version and kept[1] == account.trade_count:
            return kept[2]
        totals = self._totals(account_id, currency)
        self._kept[account_id, currency] = (version, account.trade_count, totals)
        return totals

    def forget(self) -> None:
        """Forgets all numbers; positions moved without a trade (settlement, delivery)."""
        self._kept.clear()

    def equity_e12(self, account_id: int, currency: str) -> int:
        """Returns balance, session P&L of futures, and options at their marks."""
        wallet = self._exchange.accounts.get(account_id).wallets[currency]
        totals = self.totals(account_id, currency)
        return (
            wallet.balance_e12
            + wallet.futures_rpl_e12
            + totals.futures_upl_e12
            + round(totals.options_value * E12)
        )

    def orders_margin(self, account_id: int, currency: str) -> float:
        """Returns what open orders and quotes reserve."""
        exchange = self._exchange
        reserve = 0.0
        for order in exchange.orders.live(account_id):
            instrument = exchange.instruments[order.index]
            if instrument.underlying == currency and order.state == "open":
                reserve += self.order_margin(order, order.remaining_lots, order.price_ticks)
        if exchange.orders.quote_count(account_id):
            for group in exchange.groups_of(account_id).select(f"{currency.lower()}_usd", None):
                reserve += QUOTE_RESERVE * group.max_quote_quantity
        return reserve

    def available(self, account_id: int, currency: str) -> float:
        """Returns available funds in coin."""
        equity = self.equity_e12(account_id, currency) / E12
        totals = self.totals(account_id, currency)
        return equity - totals.initial - self.orders_margin(account_id, currency)

    def order_margin(self, order: Order, lots: int, price_ticks: int) -> float:
        """Returns what a new order needs in coin; nothing if it only reduces the position."""
        exchange = self._exchange
        instrument = exchange.instruments[order.index]
        position = exchange.position_lots(order.account_id, order.index)
        signed = lots if order.side == BUY else -lots
        if position * signed < 0 and abs(signed) <= abs(position):
            return 0.0
        mark = exchange.marks.mark_price(order.index)
        if instrument.kind != "option":
            price = price_from_ticks(instrument, price_ticks) if price_ticks else mark
            return FUTURE_INITIAL * coins_of(instrument, lots, price)
        amount = amount_from_lots(instrument, lots)
        if order.side == BUY:
            price = price_from_ticks(instrument, price_ticks) if price_ticks else mark
            return amount * (price + min(instrument.taker_fee_ratio, price / 8))
        return amount * (self._short_ratio(order.index) + mark)

    def can_place(
        self, order: Order, lots: int, price_ticks: int, resting: Order | None = None
    ) -> bool:
        """Returns whether the account can carry an order (`resting`: that it replaces)."""
        needed = self.order_margin(order, lots, price_ticks)
        if resting is not None:
            needed -= self.order_margin(resting, resting.remaining_lots, resting.price_ticks)
        if needed <= 0.0:
            return True
        currency = self._exchange.instruments[order.index].underlying
        return needed <= self.available(order.account_id, currency)

    def _short_ratio(self, index: int) -> float:
        instrument = self._exchange.instruments[index]
        forward = float(self._exchange.marks.forwards[index]) or instrument.strike_usd
        sign = 1.0 if instrument.is_call else -1.0
        otm = max(0.0, sign * (instrument.strike_usd - forward)) / forward
        return max(OPTION_INITIAL - otm, OPTION_INITIAL_MIN)

    def _totals(self, account_id: int, currency: str) -> Totals:
        exchange = self._exchange
        positions = exchange.accounts.get(account_id).wallets[currency].positions
        upl_e12 = 0
        futures_delta = 0.0
        options: list[int] = []
        lots: list[int] = []
        cost_e12 = 0
        for index, position in positions.items():
            if not position.lots:
                continue
            instrument = exchange.instruments[index]
            if instrument.kind == "option":
                options.append(index)
                lots.append(position.lots)
                cost_e12 += position.basis_e12
                continue
            worth = worth_e12(instrument, position.lots, exchange.marks.mark_price(index))
            upl_e12 += position.basis_e12 - worth
            futures_delta += worth / E12
        margin_future = abs(futures_delta)
        if not options:
            return Totals(
                futures_delta=futures_delta,
                futures_upl_e12=upl_e12,
                initial=FUTURE_INITIAL * margin_future,
                maintenance=FUTURE_MAINTENANCE * margin_future,
            )
        marks = exchange.marks
        at = np.array(options)
        lot = exchange.instruments[options[0]].lot_e8 / 1e8  # one size in each currency
        coins = np.array(lots, dtype=np.float64) * lot
        prices = marks.prices[at]
        short = np.maximum(-coins, 0.0)
        ratios = np.array([self._short_ratio(index) for index in options])
        value = float(coins @ prices)
        return Totals(
            options_value=value,
            options_delta=float(coins @ (marks.deltas[at] - prices)),
            options_gamma=float(coins @ marks.gammas[at]),
            options_vega_usd=float(coins @ marks.vegas[at]),
            options_theta_usd=float(coins @ marks.thetas[at]),
            options_upl=value - cost_e12 / E12,
            futures_delta=futures_delta,
            futures_upl_e12=upl_e12,
            initial=float(short @ (ratios + prices)) + FUTURE_INITIAL * margin_future,
            maintenance=float(short @ (OPTION_MAINTENANCE + prices))
            + FUTURE_MAINTENANCE * margin_future,
        )
