"""One underlying's book: positions from fills, valued at risk's own market, its P&L explained."""

import math

from services.risk.greeks import Book, Values
from services.risk.market import Market
from services.risk.pnl_explain import Explain, explain_move
from services.risk.positions import Positions, amount, signed_lots, trade_coin_e12
from services.risk.scenarios import scenarios
from shared.messages.market import Instrument
from shared.messages.message import finite
from shared.messages.orders import FillV1, SettlementV1
from shared.messages.risk import PnlV1, PortfolioV1, Position, ScenariosV1
from shared.units import E12


class Portfolio:
    def __init__(self, underlying: str) -> None:
        self.underlying = underlying
        self.market = Market()
        self.positions = Positions()
        self.explain = Explain()
        self.book = Book()
        self._amounts = self.book.amounts({})
        self._values: Values | None = None
        self.told: PortfolioV1 | None = None  # the newest message
        self._valued: tuple[int, int] = (0, 0)  # time and market change of `_values`
        self._settled: set[str] = set()
        self._delivered: dict[str, SettlementV1] = {}  # by instrument
        self._waiting: list[FillV1] = []  # fills of instruments not yet known

    @property
    def is_valued(self) -> bool:
        return self._values is not None

    def on_fill(self, fill: FillV1) -> bool:
        """Books a fill; returns False for one seen before, or that waits for its instrument."""
        if self.positions.has_seen(fill.trade_id):
            return False
        instrument = self.market.instruments.get(fill.instrument)
        if instrument is None:
            self._waiting.append(fill)
            return False
        if self._values is not None:
            self.revalue(fill.created_ns)
        self._book_fill(fill, instrument)
        settlement = self._delivered.get(fill.instrument)
        if settlement is not None:  # heard of after its delivery: delivered too
            self._deliver(settlement, instrument)
        return True

    def _book_fill(self, fill: FillV1, instrument: Instrument) -> None:
        self.positions.apply(fill, instrument)
        is_new = fill.instrument not in self.book.row
        row = self.book.add(instrument)
        self._amounts = self.book.amounts(self.positions.lots)
        if self._values is None:
            return  # explained by the first valuation, as a whole
        if is_new:
            self._values = self.book.values(self.book.inputs(self.market, self._valued[0]))
        value_coin = amount(instrument, signed_lots(fill)) * float(self._values.coin[row])
        gain_coin = value_coin + trade_coin_e12(instrument, fill) / E12
        term = "edge" if fill.is_quote else "hedging"
        self.explain.book({term: gain_coin, "fees": -fill.fee_coin_e12 / E12})

    def on_settlement(self, settlement: SettlementV1) -> bool:
        """Books a settlement once; returns whether it closed a position."""
        if settlement.terms is not None and settlement.instrument not in self.market.instruments:
            self.market.learn(settlement.terms)  # listed no more when we were started
            self.take_waiting()
        instrument = self.market.instruments.get(settlement.instrument)
        if settlement.settlement_id in self._settled or instrument is None:
            return False
        self._settled.add(settlement.settlement_id)
        if settlement.kind == "delivery":
            self._delivered[settlement.instrument] = settlement
            return self._deliver(settlement, instrument)
        self.positions.settle(settlement, instrument)
        return False

    def _deliver(self, settlement: SettlementV1, instrument: Instrument) -> bool:
        """Turns an expired position into cash; the last move of its value counts as delta."""
        lots = self.positions.lots.get(settlement.instrument, 0)
        if self._values is not None:
            self.revalue(settlement.created_ns)
        cash_e12, fee_e12 = self.positions.settle(settlement, instrument)
        if lots and self._values is not None:
            row = self.book.row[settlement.instrument]
            worth_coin = amount(instrument, lots) * float(self._values.coin[row])
            self._amounts = self.book.amounts(self.positions.lots)
            self.explain.book({"delta": cash_e12 / E12 - worth_coin, "fees": -fee_e12 / E12})
        return lots != 0

    def take_waiting(self) -> bool:
        """Books fills whose instruments have become known; returns whether there were any."""
        waiting, self._waiting = self._waiting, []
        booked = [self.on_fill(fill) for fill in waiting]
        return any(booked)

    def revalue(self, now_ns: int) -> None:
        """Moves the book to the market as known now."""
        if not self.market.is_priced():
            return
        now_ns = max(now_ns, self._valued[0])
        if self._valued == (now_ns, self.market.change_count):
            return
        inputs = self.book.inputs(self.market, now_ns)
        self._valued = (now_ns, self.market.change_count)
        if self._values is None:
            self._values = self.book.values(inputs)
            self.explain.resume(
                self.total_coin(), -self.positions.fees_coin_e12 / E12, inputs.index_usd
            )
        else:
            self._values = explain_move(
                self.explain, self.book, self._amounts, self._values, inputs
            )

    def value_coin(self) -> float:
        return 0.0 if self._values is None else float(self._amounts @ self._values.coin)

    def total_coin(self) -> float:
        """Returns cash and value: the P&L that the terms must explain."""
        return self.positions.cash_coin_e12 / E12 + self.value_coin()

    def total_usd(self) -> float:
        return self.total_coin() * self.explain.index_usd

    def message(self, created_ns: int) -> PortfolioV1:
        values, amounts = self._values, self._amounts
        assert values is not None, "the book has not been valued"
        delta = float(amounts @ values.delta_coin)
        is_option = values.inputs.vols > 0.0
        self.told = PortfolioV1(
            created_ns=created_ns,
            underlying=self.underlying,
            positions=tuple(
                Position(name, lots) for name, lots in sorted(self.positions.open_lots().items())
            ),
            fill_count=self.positions.fill_count,
            last_trade_id=self.positions.last_trade_id,
            delta_coin=finite(delta),
            option_delta_coin=finite(float(amounts @ (values.delta_coin * is_option))),
            gamma_coin_per_usd=finite(float(amounts @ values.gamma_coin)),
            vega_usd=finite(float(amounts @ values.vega_usd) / 100.0),
            theta_usd_per_day=finite(float(amounts @ values.theta_usd) / 365.0),
            value_coin=finite(self.value_coin()),
            cash_coin_e12=self.positions.cash_coin_e12,
            index_usd=values.inputs.index_usd,
            surface_version=self.market.surface_version,
        )
        return self.told

    def pnl(self, created_ns: int, *, is_final: bool = False) -> PnlV1:
        explain = self.explain
        return PnlV1(
            created_ns=created_ns,
            underlying=self.underlying,
            coin=explain.terms(explain.coin),
            usd=explain.terms(explain.usd),
            gross_usd=explain.gross_usd,
            residual_gross_usd=explain.residual_gross_usd,
            is_final=is_final,
            worth_coin=finite(self.total_coin()),
        )

    def identity_error_coin(self) -> float:
        """Returns the explained total less cash and value; float noise when all is well."""
        return math.fsum(self.explain.coin.values()) - self.total_coin()

    def scenarios(
        self,
        grid: tuple[tuple[float, ...], tuple[float, ...], tuple[int, ...]],
        created_ns: int,
    ) -> ScenariosV1:
        assert self._values is not None, "the book has not been valued"
        return scenarios(self.book, self._amounts, self._values, grid, self.underlying, created_ns)
