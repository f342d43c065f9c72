"""Private channels: an account's orders, trades, changes, portfolio and protection triggers."""

from typing import Any

from services.venue.accounts.portfolio import Portfolio
from services.venue.matching.exchange import Exchange, News
from services.venue.matching.history import Party, Trade
from services.venue.matching.orders import Order
from services.venue.outputs import Send
from services.venue.rpc.channels import INTERVALS, RAW, Channel, Key, Registry
from services.venue.rpc.envelope import notice
from services.venue.rpc.market_feeds import Sends


class UserFeeds:
    """Changes wait per channel until the channel's interval is flushed. A quote is shown in
    `user.orders` when it trades or ends, not when private/mass_quote sets or moves it."""

    def __init__(self, exchange: Exchange, portfolio: Portfolio, registry: Registry) -> None:
        self._exchange = exchange
        self._portfolio = portfolio
        self._registry = registry
        self._sends: Sends = []
        self._orders: dict[str, dict[Key, list[Order]]] = {name: {} for name in INTERVALS}
        self._trades: dict[str, dict[Key, list[tuple[Trade, Party]]]] = {
            name: {} for name in INTERVALS
        }
        self._changes: dict[str, dict[Key, dict[int, None]]] = {name: {} for name in INTERVALS}
        self._kept_orders: dict[str, dict[tuple[Key, int], list[Order]]] = {
            name: {} for name in INTERVALS
        }
        self._kept_trades: dict[str, dict[tuple[Key, int], list[tuple[Trade, Party]]]] = {
            name: {} for name in INTERVALS
        }
        self._dirty_portfolios: dict[tuple[int, str], None] = {}

    def take(self) -> Sends:
        sends, self._sends = self._sends, []
        return sends

    def on_ended(self, key: Key) -> None:
        for waiting in (self._orders, self._trades, self._changes):
            for pending in waiting.values():
                pending.pop(key, None)

    def on_subscribed(self, channel: Channel, key: Key, connection_id: int) -> None:
        """Sends a new listener the portfolio; the other channels begin with the next change."""
        if channel.topic == "user.portfolio":
            for currency in self._currencies(channel):
                body = self._portfolio.money(key[1], currency)
                self._sends.append(Send(connection_id, notice(channel.name, body)))

    def on_news(self, news: News) -> None:
        if not self._registry.of_topic("user.orders") and not self._has_others():
            return
        for order in news.orders.values():
            self._queue_order(order)
        for trade in news.trades:
            for party in trade.parties:
                self._queue_trade(trade, party)
        for account in sorted(news.accounts):
            self._dirty_portfolios[account] = None
        for account_id, group in news.mmp_triggers:
            body = {"frozen_until": group.frozen_until_ms(), "mmp_group": group.name}
            for key, channel in self._registry.of_topic("user.mmp_trigger").items():
                if key[1] == account_id and group.index_name.startswith(channel.currency.lower()):
                    self._emit(key, body)

    def on_marks(self) -> None:
        """Once a second: every portfolio that somebody watches has new marks."""
        for key, channel in self._registry.of_topic("user.portfolio").items():
            for currency in self._currencies(channel):
                self._dirty_portfolios[key[1], currency] = None
        self._flush_portfolios()

    def flush(self, interval: str) -> None:
        """Sends what waited: trades, then orders, then joined changes."""
        if interval != RAW:
            self._flush_portfolios()
        if not (self._trades[interval] or self._orders[interval] or self._changes[interval]):
            return
        for key, trades in self._trades[interval].items():
            self._emit(key, [self._trade(trade, party) for trade, party in trades])
        for key, orders in self._orders[interval].items():
            shown = [self._order(order) for order in _latest(orders)]
            if interval == RAW:
                for body in shown:
                    self._emit(key, body)
            else:
                self._emit(key, shown)
        for key, indices in self._changes[interval].items():
            for index in indices:
                self._emit(key, self._change(interval, key, index))
        for waiting in (self._trades, self._orders, self._changes):
            waiting[interval].clear()
        for store in (self._kept_orders, self._kept_trades):
            store[interval].clear()

    def _has_others(self) -> bool:
        registry = self._registry
        topics = ("user.trades", "user.changes", "user.portfolio", "user.mmp_trigger")
        return any(registry.of_topic(topic) for topic in topics)

    def _matching(self, topic: str, account_id: int, index: int) -> list[tuple[Key, Channel]]:
        instrument = self._exchange.instruments[index]
        kind = "option" if instrument.kind == "option" else "future"
        return [
            (key, channel)
            for key, channel in self._registry.of_topic(topic).items()
            if key[1] == account_id
            and (
                channel.index == index
                or (
                    channel.index < 0
                    and channel.kind in ("any", kind)
                    and channel.currency in ("any", instrument.underlying)
                )
            )
        ]

    def _queue_order(self, order: Order) -> None:
        for key, channel in self._matching("user.orders", order.account_id, order.index):
            self._orders[channel.interval].setdefault(key, []).append(order)
        for key, channel in self._matching("user.changes", order.account_id, order.index):
            self._changes[channel.interval].setdefault(key, {})[order.index] = None
            self._kept_orders[channel.interval].setdefault((key, order.index), []).append(order)

    def _queue_trade(self, trade: Trade, party: Party) -> None:
        for key, channel in self._matching("user.trades", party.account_id, trade.index):
            self._trades[channel.interval].setdefault(key, []).append((trade, party))
        for key, channel in self._matching("user.changes", party.account_id, trade.index):
            self._changes[channel.interval].setdefault(key, {})[trade.index] = None
            kept = self._kept_trades[channel.interval]
            kept.setdefault((key, trade.index), []).append((trade, party))

    def _change(self, interval: str, key: Key, index: int) -> dict[str, Any]:
        orders = self._kept_orders[interval].get((key, index), [])
        trades = self._kept_trades[interval].get((key, index), [])
        return {
            "instrument_name": self._exchange.instruments[index].name,
            "trades": [self._trade(trade, party) for trade, party in trades],
            "positions": [self._portfolio.position(key[1], index)] if trades else [],
            "orders": [self._order(order) for order in _latest(orders)],
        }

    def _flush_portfolios(self) -> None:
        if not self._dirty_portfolios:
            return
        dirty, self._dirty_portfolios = self._dirty_portfolios, {}
        channels = self._registry.of_topic("user.portfolio").items()
        for account_id, currency in dirty:
            for key, channel in channels:
                if key[1] == account_id and channel.currency in ("any", currency):
                    self._emit(key, self._portfolio.money(account_id, currency))

    def _currencies(self, channel: Channel) -> tuple[str, ...]:
        return self._exchange.currencies if channel.currency == "any" else (channel.currency,)

    def _emit(self, key: Key, body: Any) -> None:
        data = notice(key[0], body)
        for connection_id in self._registry.listeners(key):
            self._sends.append(Send(connection_id, data))

    def _order(self, order: Order) -> dict[str, Any]:
        return order.wire(self._exchange.instruments[order.index], order.account_id)

    def _trade(self, trade: Trade, party: Party) -> dict[str, Any]:
        return trade.wire_of(self._exchange.instruments[trade.index], party)


def _latest(orders: list[Order]) -> list[Order]:
    """Returns each order once, in order of its first change."""
    return list({order.order_id: order for order in orders}.values())
