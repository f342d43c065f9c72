"""Money and positions, in integer 1e-12 coin, exactly conserved.

Options: the premium moves at the trade. Inverse futures: a trade of amount A at price P has the
value A/P coin; a position keeps the signed sum of its values (`basis`), and what a close realises
stays in `session_rpl` until the daily settlement moves it to the balance. Every posting has an
equal and opposite one; what rounding leaves over at a delivery goes to the house. The house begins
with minus all deposits, so the sum over all accounts is zero at every moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from shared.messages.market import Instrument
from shared.units import E8, E12

HOUSE = 0  # account ids
FEES = 1
FIRST_USER = 2


@dataclass(slots=True)
class Position:
    """One account's position in one instrument; `basis` has the sign of `lots`."""

    lots: int = 0
    basis_e12: int = 0  # futures: coin value at entry; options: premium paid
    session_rpl_e12: int = 0  # realised since the last settlement
    lots_settled: int = 0  # position and value at the last settlement, for session P&L
    basis_settled_e12: int = 0


@dataclass(slots=True)
class Wallet:
    """One account in one currency."""

    balance_e12: int = 0
    futures_rpl_e12: int = 0  # this session's, not yet in the balance
    options_rpl_e12: int = 0  # informative: options settle at the trade
    fees_e12: int = 0  # paid since the account exists
    deposits_e12: int = 0
    positions: dict[int, Position] = field(default_factory=dict)  # by instrument index


@dataclass(slots=True)
class Account:
    account_id: int
    name: str
    wallets: dict[str, Wallet]
    trade_count: int = 0
    is_user: bool = False  # may log in; others are the crowd, the house and the fee account
    created_ns: int = 0


class Accounts:
    """All accounts of the venue, and the only code that moves money."""

    def __init__(self, instruments: Iterable[Instrument], currencies: tuple[str, ...]) -> None:
        self._instruments = tuple(instruments)
        self._currencies = currencies
        self._accounts: dict[int, Account] = {}
        self.open(HOUSE, "house")
        self.open(FEES, "fees")

    def open(
        self, account_id: int, name: str, *, is_user: bool = False, now_ns: int = 0
    ) -> Account:
        assert account_id not in self._accounts
        wallets = {currency: Wallet() for currency in self._currencies}
        account = Account(account_id, name, wallets, is_user=is_user, created_ns=now_ns)
        self._accounts[account_id] = account
        return account

    def add_contracts(self, instruments: Iterable[Instrument]) -> None:
        """More contracts follow on those known."""
        self._instruments += tuple(instruments)

    def get(self, account_id: int) -> Account:
        return self._accounts[account_id]

    def all(self) -> Iterable[Account]:
        return self._accounts.values()

    def deposit(self, account_id: int, currency: str, coin_e12: int) -> None:
        wallet = self._accounts[account_id].wallets[currency]
        wallet.balance_e12 += coin_e12
        wallet.deposits_e12 += coin_e12
        self._accounts[HOUSE].wallets[currency].balance_e12 -= coin_e12

    def trade(
        self, index: int, buyer: int, seller: int, lots: int, price_ticks: int
    ) -> tuple[int, int]:
        """Moves position and value between two accounts; returns their fees are apart (`charge`).

        Returns the P&L that the buyer and the seller realised, in 1e-12 coin.
        """
        instrument = self._instruments[index]
        value = value_e12(instrument, lots, price_ticks)
        return (
            self._post(instrument, index, buyer, lots, value),
            self._post(instrument, index, seller, -lots, -value),
        )

    def charge(self, account_id: int, currency: str, fee_e12: int) -> None:
        """Moves a fee to the fee account."""
        wallet = self._accounts[account_id].wallets[currency]
        wallet.balance_e12 -= fee_e12
        wallet.fees_e12 += fee_e12
        self._accounts[FEES].wallets[currency].balance_e12 += fee_e12

    def settle_futures(self, index: int, price_usd: float) -> dict[int, int]:
        """Moves one future's session P&L at a settlement price to the balances.

        Returns the P&L posted per account. Each basis becomes the position's rounded worth, so
        money is conserved account by account.
        """
        instrument = self._instruments[index]
        assert instrument.kind != "option"
        currency = instrument.underlying
        posted: dict[int, int] = {}
        for account in self._accounts.values():
            wallet = account.wallets[currency]
            position = wallet.positions.get(index)
            if position is None:
                continue
            worth = worth_e12(instrument, position.lots, price_usd)
            pnl = position.basis_e12 - worth + position.session_rpl_e12
            wallet.futures_rpl_e12 -= position.session_rpl_e12
            position.basis_e12 = worth
            position.session_rpl_e12 = 0
            _mark_settled(position)
            if not position.lots:
                del wallet.positions[index]
            wallet.balance_e12 += pnl
            posted[account.account_id] = pnl
        return posted

    def settle_option_session(self, index: int) -> None:
        """Begins a new session for one option: its money has moved already."""
        for account in self._accounts.values():
            wallet = account.wallets[self._instruments[index].underlying]
            position = wallet.positions.get(index)
            if position is None:
                continue
            wallet.options_rpl_e12 -= position.session_rpl_e12
            position.session_rpl_e12 = 0
            _mark_settled(position)
            if not position.lots:
                del wallet.positions[index]

    def deliver_option(self, index: int, payoff_per_lot_e12: int) -> dict[int, tuple[int, int]]:
        """Pays an expired option out in coin and closes it; returns lots and cash per account."""
        paid: dict[int, tuple[int, int]] = {}
        currency = self._instruments[index].underlying
        for account in self._accounts.values():
            wallet = account.wallets[currency]
            position = wallet.positions.pop(index, None)
            if position is None:
                continue
            wallet.options_rpl_e12 -= position.session_rpl_e12
            cash = position.lots * payoff_per_lot_e12
            wallet.balance_e12 += cash
            paid[account.account_id] = (position.lots, cash)
        return paid

    def deliver_future(self, index: int, price_usd: float) -> dict[int, tuple[int, int]]:
        """Settles an expired future at its delivery price and closes it."""
        currency = self._instruments[index].underlying
        posted = self.settle_futures(index, price_usd)
        paid: dict[int, tuple[int, int]] = {}
        leftover = 0
        for account_id, cash in posted.items():
            position = self._accounts[account_id].wallets[currency].positions.pop(index, None)
            lots = position.lots if position is not None else 0
            leftover += position.basis_e12 if position is not None else 0
            paid[account_id] = (lots, cash)
        # Rounded worths of positions that sum to zero need not: the house has had the rest.
        self._accounts[HOUSE].wallets[currency].balance_e12 += leftover
        return paid

    def sum_e12(self, currency: str) -> int:
        """Returns all money in one currency, open futures values included: zero."""
        total = 0
        for account in self._accounts.values():
            wallet = account.wallets[currency]
            total += wallet.balance_e12 + wallet.futures_rpl_e12
            for index, position in wallet.positions.items():
                if self._instruments[index].kind != "option":
                    total += position.basis_e12
        return total

    def positions_sum_lots(self, currency: str) -> int:
        """Returns the sum of all positions over all accounts and instruments: zero."""
        return sum(
            position.lots
            for account in self._accounts.values()
            for position in account.wallets[currency].positions.values()
        )

    def restore(self, account: Account) -> None:
        """Takes an account as it was remembered, in place of the one that was opened."""
        assert account.account_id in self._accounts
        self._accounts[account.account_id] = account

    def _post(
        self, instrument: Instrument, index: int, account_id: int, lots: int, value: int
    ) -> int:
        """Adds signed lots and their signed value to a position; returns what was realised."""
        account = self._accounts[account_id]
        account.trade_count += 1
        wallet = account.wallets[instrument.underlying]
        position = wallet.positions.get(index)
        if position is None:
            position = wallet.positions[index] = Position()
        realised = _book(position, lots, value)
        if instrument.kind == "option":
            wallet.balance_e12 -= value
            realised = -realised  # an option gains when its price rises, a coin value falls
            wallet.options_rpl_e12 += realised
        else:
            wallet.futures_rpl_e12 += realised
        position.session_rpl_e12 += realised
        return realised


def value_e12(instrument: Instrument, lots: int, price_ticks: int) -> int:
    """Returns the coin value of a trade: premium of an option (exact), A/P of an inverse future
    (rounded half up)."""
    amount_e8 = lots * instrument.lot_e8
    price_e8 = price_ticks * instrument.tick_e8
    if instrument.kind == "option":
        return amount_e8 * price_e8 // 10_000
    return (2 * amount_e8 * E12 + price_e8) // (2 * price_e8)


def worth_e12(instrument: Instrument, lots: int, price_usd: float) -> int:
    """Returns the coin value of a signed futures position at a USD price."""
    magnitude = round(abs(lots) * instrument.lot_e8 / E8 / price_usd * E12)
    return magnitude if lots >= 0 else -magnitude


def fee_e12(instrument: Instrument, lots: int, price_ticks: int, *, is_maker: bool) -> int:
    """Returns the trading fee. Options: min(0.0003, 12.5 % of the price) coin per coin; futures:
    a share of the coin value. Rounded half up."""
    ratio = instrument.maker_fee_ratio if is_maker else instrument.taker_fee_ratio
    ratio_e12 = round(ratio * E12)
    if instrument.kind == "option":
        price_e12 = price_ticks * instrument.tick_e8 * (E12 // E8)
        per_coin_e12 = min(ratio_e12, price_e12 // 8)
        return per_coin_e12 * lots * instrument.lot_e8 // E8
    value = value_e12(instrument, lots, price_ticks)
    return (2 * value * ratio_e12 + E12) // (2 * E12)


def _book(position: Position, lots: int, value: int) -> int:
    """Adds to a position; returns closed basis plus the closing trade's value (both signed)."""
    if position.lots * lots >= 0:
        position.lots += lots
        position.basis_e12 += value
        return 0
    closed = min(abs(lots), abs(position.lots))
    part = position.basis_e12 * closed // abs(position.lots)
    closing_value = value * closed // abs(lots)
    position.basis_e12 += value - closing_value - part
    position.lots += lots
    return part + closing_value


def _mark_settled(position: Position) -> None:
    position.lots_settled = position.lots
    position.basis_settled_e12 = position.basis_e12
