"""What an account is shown of itself: positions and summaries."""

from typing import Any

from services.venue.accounts.accounts import FIRST_USER, Position
from services.venue.accounts.margin import FUTURE_INITIAL, FUTURE_MAINTENANCE, Margin
from services.venue.matching.exchange import Exchange
from services.venue.rpc.rate_limits import Tier
from services.venue.rpc.views import Views
from shared.clock import NS_PER_MS
from shared.messages.market import Instrument
from shared.units import E8, E12, amount_from_lots


class Portfolio:
    def __init__(self, exchange: Exchange, margin: Margin, views: Views, tier: Tier) -> None:
        self._exchange = exchange
        self._margin = margin
        self._views = views
        self._tier = tier

    def position(self, account_id: int, index: int) -> dict[str, Any]:
        """Returns one position; direction "zero" where there is none."""
        instrument = self._exchange.instruments[index]
        wallet = self._exchange.accounts.get(account_id).wallets[instrument.underlying]
        held = wallet.positions.get(index, Position())
        if instrument.kind == "option":
            return self._option_position(instrument, index, held)
        return self._future_position(instrument, index, held)

    def positions(self, account_id: int, currency: str, kind: str) -> list[dict[str, Any]]:
        """Returns the positions that are not flat; "any" matches all."""
        account = self._exchange.accounts.get(account_id)
        found = []
        for name, wallet in account.wallets.items():
            if currency not in ("any", name):
                continue
            for index, position in wallet.positions.items():
                is_option = self._exchange.instruments[index].kind == "option"
                if position.lots and kind in ("any", "option" if is_option else "future"):
                    found.append(self.position(account_id, index))
        return found

    def summary(self, account_id: int, currency: str, *, is_extended: bool) -> dict[str, Any]:
        """Returns one currency's money and greeks, in coin to the last 1e-12."""
        body = self.money(account_id, currency)
        body["limits"] = self._tier.wire()
        if is_extended:
            body.update(self.identity(account_id))
        return body

    def identity(self, account_id: int) -> dict[str, Any]:
        account = self._exchange.accounts.get(account_id)
        return {
            "id": account_id,
            "email": f"{account.name}@example.com",
            "system_name": account.name,
            "username": account.name,
            "type": "main" if account_id == FIRST_USER else "subaccount",
            "creation_timestamp": account.created_ns // NS_PER_MS,
            "mmp_enabled": True,
            "login_enabled": True,
            "security_keys_enabled": False,
            "interuser_transfers_enabled": False,
            "referrer_id": None,
            "block_rfq_self_match_prevention": True,
            "self_trading_reject_mode": "cancel_maker",
            "self_trading_extended_to_subaccounts": False,
        }

    def money(self, account_id: int, currency: str) -> dict[str, Any]:
        """Returns what user.portfolio and the account summaries share."""
        exchange, margin = self._exchange, self._margin
        wallet = exchange.accounts.get(account_id).wallets[currency]
        totals = margin.totals(account_id, currency)
        equity_e12 = margin.equity_e12(account_id, currency)
        equity = equity_e12 / E12
        reserved = margin.orders_margin(account_id, currency)
        initial, maintenance = totals.initial + reserved, totals.maintenance
        futures_upl = totals.futures_upl_e12 / E12
        futures_rpl = wallet.futures_rpl_e12 / E12
        options_rpl = wallet.options_rpl_e12 / E12
        futures_pl, index_name = futures_upl + futures_rpl, f"{currency.lower()}_usd"
        usd = exchange.marks.index_usd(currency)
        return {
            "currency": currency,
            "balance": wallet.balance_e12 / E12,
            "equity": equity,
            "margin_balance": equity,
            "available_funds": equity - initial,
            "available_withdrawal_funds": max(0.0, min(wallet.balance_e12 / E12, equity - initial)),
            "initial_margin": initial,
            "maintenance_margin": maintenance,
            "projected_initial_margin": totals.initial,
            "projected_maintenance_margin": maintenance,
            "delta_total": totals.delta_total,
            "projected_delta_total": totals.delta_total,
            "delta_total_map": {index_name: totals.delta_total},
            "options_value": totals.options_value,
            "options_delta": totals.options_delta,
            "options_gamma": totals.options_gamma,
            "options_gamma_map": {index_name: totals.options_gamma},
            "options_vega": totals.options_vega_usd,
            "options_vega_map": {index_name: totals.options_vega_usd},
            "options_theta": totals.options_theta_usd,
            "options_theta_map": {index_name: totals.options_theta_usd},
            "options_pl": totals.options_upl + options_rpl,
            "options_session_upl": totals.options_upl,
            "options_session_rpl": options_rpl,
            "futures_pl": futures_pl,
            "futures_session_upl": futures_upl,
            "futures_session_rpl": futures_rpl,
            "session_upl": futures_upl + totals.options_upl,
            "session_rpl": futures_rpl,
            "total_pl": futures_pl + totals.options_upl + options_rpl,
            "fee_balance": 0.0,
            "spot_reserve": 0.0,
            "additional_reserve": 0.0,
            "locked_balance": 0.0,
            "estimated_liquidation_ratio": maintenance / equity if equity > 0 else 0.0,
            "estimated_liquidation_ratio_map": {
                index_name: maintenance / equity if equity > 0 else 0.0
            },
            "total_equity_usd": equity * usd,
            "total_margin_balance_usd": equity * usd,
            "total_initial_margin_usd": initial * usd,
            "total_maintenance_margin_usd": maintenance * usd,
            "total_delta_total_usd": totals.delta_total * usd,
            "margin_model": "segregated_pm",
            "portfolio_margining_enabled": True,
            "cross_collateral_enabled": False,
        }

    def _option_position(
        self, instrument: Instrument, index: int, held: Position
    ) -> dict[str, Any]:
        marks = self._exchange.marks
        size = amount_from_lots(instrument, held.lots)
        mark = marks.mark_price(index)
        average = held.basis_e12 / E12 / size if size else 0.0
        usd = marks.index_usd(instrument.underlying)
        floating = size * mark - held.basis_e12 / E12
        realised = held.session_rpl_e12 / E12
        return {
            **self._common(instrument, index, held, size),
            "average_price": round(average, 8),
            "average_price_usd": round(average * usd, 6),
            "floating_profit_loss": floating,
            "floating_profit_loss_usd": floating * usd,
            "realized_profit_loss": realised,
            "total_profit_loss": floating + realised,
            "delta": size * (float(marks.deltas[index]) - mark),
            "gamma": size * float(marks.gammas[index]),
            "vega": size * float(marks.vegas[index]),
            "theta": size * float(marks.thetas[index]),
            "initial_margin": 0.0 if size >= 0 else -size * (0.15 + mark),
            "maintenance_margin": 0.0 if size >= 0 else -size * (0.075 + mark),
        }

    def _future_position(
        self, instrument: Instrument, index: int, held: Position
    ) -> dict[str, Any]:
        mark = self._exchange.marks.mark_price(index)
        size = amount_from_lots(instrument, held.lots)
        coins = size / mark if mark else 0.0
        average = size / (held.basis_e12 / E12) if held.basis_e12 else 0.0
        floating = held.basis_e12 / E12 - coins
        realised = held.session_rpl_e12 / E12
        return {
            **self._common(instrument, index, held, size),
            "average_price": round(average, 6),
            "floating_profit_loss": floating,
            "realized_profit_loss": realised,
            "total_profit_loss": floating + realised,
            "size_currency": coins,
            "delta": coins,
            "leverage": 50,
            "initial_margin": FUTURE_INITIAL * abs(coins),
            "maintenance_margin": FUTURE_MAINTENANCE * abs(coins),
            "open_orders_margin": 0.0,
            "estimated_liquidation_price": None,
            "interest_value": 0.0,
            "realized_funding": 0.0,
        }

    def _common(
        self, instrument: Instrument, index: int, held: Position, size: float
    ) -> dict[str, Any]:
        mark = self._exchange.marks.mark_price(index)
        lots = held.lots
        return {
            "instrument_name": instrument.name,
            "kind": "option" if instrument.kind == "option" else "future",
            "direction": "buy" if lots > 0 else "sell" if lots < 0 else "zero",
            "size": size,
            "mark_price": round(mark, 8),
            "index_price": self._exchange.marks.index_usd(instrument.underlying),
            "settlement_price": self._views.settlement_prices.get(index, round(mark, 8)),
        }


def coin_e12(amount: float) -> int:
    """Returns a stated deposit in 1e-12 coin, to the venue's 1e-8."""
    return round(amount * E8) * (E12 // E8)
