"""Positions, summed here from fills, against risk's, the ledger's and the venue's."""

from array import array
from collections import deque
from collections.abc import Mapping

import msgspec

from shared.clock import NS_PER_S
from shared.dedupe import Ids
from shared.invariant import Invariant
from shared.messages.desk import RecordV1
from shared.messages.message import tag_of
from shared.messages.orders import AccountV1, FillV1, SettlementV1
from shared.messages.risk import PortfolioV1
from shared.settlement import is_settling

BEHIND_NS_MAX = 10 * NS_PER_S  # a fill must be in risk's and the ledger's books by then
FILL_ENTRY = tag_of(FillV1).replace(".", "-")
RECENT_MAX = 64  # portfolios that wait for the fills they count


class _Fact(msgspec.Struct):
    trade_id: str
    underlying: str
    instrument: str
    side: str
    amount_lots: int


class _Body(msgspec.Struct):
    fact: _Fact


class PositionChecks:
    def __init__(self, invariants: Mapping[str, Invariant]) -> None:
        self._all = invariants
        self.lots: dict[str, dict[str, int]] = {}  # underlying -> instrument -> lots
        self._fills = Ids()  # trades,
        self._told = Ids()  # and each with all that it was
        self._order: dict[str, array[int]] = {}  # underlying -> when each fill was made, ns
        self._venue_ns: dict[str, int] = {}
        self._waiting: deque[PortfolioV1] = deque(maxlen=RECENT_MAX)
        self._excess: dict[str, dict[str, int]] = {}
        self._awaited: dict[str, str] = {}
        self._ledger_lots: dict[str, int] = {}
        self._recorded = Ids()  # trades,
        self._sequences = Ids()  # and each with its record's place
        self._unrecorded: dict[str, FillV1] = {}  # oldest first
        self._early: dict[str, _Fact] = {}  # recorded before we saw them published

    def on_fill(self, fill: FillV1) -> None:
        is_new = self._fills.add(fill.trade_id)
        is_same = not self._told.add(_whole(fill)) or is_new
        self._all["fills_idempotent"].expect(
            is_same, lambda: f"{fill.trade_id} differs from itself"
        )
        if not is_new:
            return
        self._order.setdefault(fill.underlying, array("q")).append(fill.created_ns)
        book = self.lots.setdefault(fill.underlying, {})
        book[fill.instrument] = book.get(fill.instrument, 0) + _signed(fill.side, fill.amount_lots)
        newest_ns = self._venue_ns.get(fill.underlying, 0)
        self._venue_ns[fill.underlying] = max(newest_ns, fill.venue_ns)
        early = self._early.pop(fill.trade_id, None)
        if early is not None:
            self._expect_recorded(early, fill)
        elif fill.trade_id not in self._recorded:
            self._unrecorded[fill.trade_id] = fill
        for portfolio in [p for p in self._waiting if p.underlying == fill.underlying]:
            if portfolio.fill_count <= len(self._order[fill.underlying]):
                self._waiting.remove(portfolio)
                self.on_portfolio(portfolio)

    def on_settlement(self, settlement: SettlementV1) -> None:
        if settlement.kind == "delivery":
            self.lots.setdefault(settlement.underlying, {})[settlement.instrument] = 0

    def on_portfolio(self, portfolio: PortfolioV1) -> None:
        """Compares when risk counts exactly the fills we have; later if it is ahead of us."""
        count = len(self._order.get(portfolio.underlying, ()))
        if portfolio.fill_count > count:
            self._waiting.append(portfolio)
            return
        self._expect_ledger_not_behind(portfolio)
        if portfolio.fill_count < count:  # risk has yet to hear of the newest
            missed_ns = self._order[portfolio.underlying][portfolio.fill_count]
            self._all["risk_equals_fills"].expect(
                portfolio.created_ns - missed_ns <= BEHIND_NS_MAX,
                lambda: f"{portfolio.underlying} risk counts {portfolio.fill_count} of {count}",
            )
            return
        if is_settling(portfolio.created_ns):
            return
        ours = _open(self.lots.get(portfolio.underlying, {}))
        risks = {one.instrument: one.position_lots for one in portfolio.positions}
        self._all["risk_equals_fills"].expect(
            ours == risks, lambda: f"{portfolio.underlying} {_difference(ours, risks)}"
        )

    def on_account(self, account: AccountV1) -> None:
        """A difference from the venue counts when it stands on two words in a row."""
        currency, newest = account.currency, account.last_trade_id
        if newest and newest not in self._fills and newest != self._awaited.get(currency):
            self._awaited[currency] = newest
            return
        if self._venue_ns.get(currency, 0) > account.venue_ns or is_settling(account.venue_ns):
            return
        ours = _open(self.lots.get(currency, {}))
        venue = {p.instrument: p.position_lots for p in account.positions if p.position_lots}
        names = sorted({*ours, *venue})
        excess = {name: ours.get(name, 0) - venue.get(name, 0) for name in names}
        excess = {name: lots for name, lots in excess.items() if lots}
        standing = excess.items() & self._excess.get(currency, {}).items()
        self._excess[currency] = excess
        self._all["venue_equals_fills"].expect(
            not standing, lambda: f"{currency} ours less the venue's {sorted(standing)[:5]}"
        )

    def on_record(self, record: RecordV1) -> None:
        if record.kind != FILL_ENTRY:
            return
        fact = msgspec.json.decode(record.payload, type=_Body).fact
        is_new = self._recorded.add(fact.trade_id)
        is_same = not self._sequences.add(f"{fact.trade_id} {record.sequence}") or is_new
        self._all["ledger_equals_fills"].expect(
            is_same, lambda: f"{fact.trade_id} was recorded twice"
        )
        if not is_new:
            return
        name, lots = fact.instrument, _signed(fact.side, fact.amount_lots)
        self._ledger_lots[name] = self._ledger_lots.get(name, 0) + lots
        fill = self._unrecorded.pop(fact.trade_id, None)
        if fill is None:
            self._early[fact.trade_id] = fact
        else:
            self._expect_recorded(fact, fill)

    def ledger_lots(self) -> dict[str, int]:
        """Returns positions from the ledger's records alone."""
        return _open(self._ledger_lots)

    def _expect_ledger_not_behind(self, portfolio: PortfolioV1) -> None:
        """For who hears the ledger at all."""
        if self._ledger_lots and self._unrecorded:
            oldest = next(iter(self._unrecorded.values()))
            self._all["ledger_equals_fills"].expect(
                portfolio.created_ns - oldest.created_ns <= BEHIND_NS_MAX,
                lambda: f"{oldest.trade_id} is not recorded",
            )

    def _expect_recorded(self, fact: _Fact, fill: FillV1) -> None:
        self._all["ledger_equals_fills"].expect(
            (fact.instrument, fact.side, fact.amount_lots)
            == (fill.instrument, fill.side, fill.amount_lots),
            lambda: f"{fact.trade_id} was recorded differently",
        )


def _signed(side: str, lots: int) -> int:
    return lots if side == "buy" else -lots


def _open(lots: dict[str, int]) -> dict[str, int]:
    return {name: held for name, held in lots.items() if held}


def _whole(fill: FillV1) -> str:
    """Returns what makes a trade."""
    what = (fill.instrument, fill.side, fill.amount_lots, fill.price_ticks, fill.fee_coin_e12)
    return f"{fill.trade_id} {what}"


def _difference(ours: dict[str, int], others: dict[str, int]) -> str:
    names = [name for name in sorted({*ours, *others}) if ours.get(name) != others.get(name)]
    return ", ".join(f"{n}: fills {ours.get(n, 0)}, risk {others.get(n, 0)}" for n in names[:5])
