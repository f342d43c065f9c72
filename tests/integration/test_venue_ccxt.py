"""ccxt, REST and pro, unmodified but for its URLs, through a whole session with the venue.

The crowd trades all the while. ccxt's own rate limiter stays on.
"""

import asyncio
import contextlib

import ccxt.pro
import pytest

from tests.integration.server import until
from tests.integration.venue_server import CLIENT_ID, CLIENT_SECRET, serving

PERPETUAL = "BTC/USD:BTC"
WAIT_S = 20
WAIT_MS = 20_000


@contextlib.asynccontextmanager
async def clients(**keys):
    async with serving() as venue:
        exchange = ccxt.pro.deribit(
            {
                "apiKey": CLIENT_ID,
                "secret": CLIENT_SECRET,
                "urls": {"api": {"rest": venue.http_url, "ws": venue.ws_url}},
                **keys,
            }
        )
        try:
            async with asyncio.timeout(60):
                yield exchange, venue
        finally:
            await exchange.close()


async def nearest_option(exchange):
    """Returns the symbol of a call a month or so out, near the money, that has both sides."""
    index_usd = (await exchange.fetch_ticker(PERPETUAL))["last"]
    now_ms = await exchange.fetch_time()
    calls = [
        market
        for market in exchange.markets.values()
        if market["option"] and market["base"] == "BTC" and market["optionType"] == "call"
        and 15 * 86_400_000 < market["expiry"] - now_ms < 80 * 86_400_000
    ]  # fmt: skip
    return min(calls, key=lambda market: abs(market["strike"] - index_usd))["symbol"]


async def test_markets_tickers_books_trades_and_candles():
    async with clients() as (exchange, venue):
        assert (await exchange.fetch_status())["status"] == "ok"
        markets = await exchange.load_markets()
        kinds = {market["type"] for market in markets.values()}
        assert kinds >= {"swap", "future", "option"}
        listed = len(venue.front.venue.exchange.instruments)
        assert sum(not market["spot"] for market in markets.values()) >= listed
        assert exchange.market(PERPETUAL)["precision"] == {"amount": 10.0, "price": 0.5}
        option = await nearest_option(exchange)
        assert exchange.market(option)["limits"]["amount"]["min"] == 0.1

        ticker = await exchange.fetch_ticker(PERPETUAL)
        assert 0 < ticker["bid"] < ticker["ask"]
        tickers = await exchange.fetch_tickers([option], {"code": "BTC"})
        assert tickers[option]["ask"] > 0
        book = await exchange.fetch_order_book(PERPETUAL, limit=10)
        assert book["bids"][0][0] < book["asks"][0][0]
        assert len(book["bids"]) >= 3
        greeks = await exchange.fetch_greeks(option)
        assert 0.2 < greeks["delta"] < 0.8
        assert greeks["markImpliedVolatility"] > 5

        taker = await exchange.create_order(PERPETUAL, "market", "buy", 1000)
        trades = await exchange.fetch_trades(PERPETUAL)
        assert taker["status"] == "closed"
        assert any(trade["amount"] == 1000 for trade in trades)
        candles = await exchange.fetch_ohlcv(PERPETUAL, "1m", limit=5)
        assert candles[-1][1] > 0


async def test_books_tickers_and_trades_are_watched():
    async with clients() as (exchange, _):
        await exchange.load_markets()
        first = await exchange.watch_order_book(PERPETUAL)
        nonce = first["nonce"]
        async with asyncio.timeout(WAIT_S):
            while (await exchange.watch_order_book(PERPETUAL))["nonce"] == nonce:
                pass
        watched = await exchange.watch_order_book(PERPETUAL)
        assert watched["bids"][0][0] < watched["asks"][0][0]
        assert (await exchange.watch_ticker(PERPETUAL))["bid"] > 0
        trading = asyncio.create_task(exchange.watch_trades(PERPETUAL))
        await asyncio.sleep(0)
        placed = await exchange.create_order(PERPETUAL, "market", "sell", 500)
        assert placed["status"] == "closed"
        async with asyncio.timeout(WAIT_S):
            trades = await trading
        assert trades[-1]["amount"] > 0


async def test_own_orders_and_trades_are_watched_through_create_edit_and_cancel():
    async with clients() as (exchange, venue):
        registry = venue.front.venue.floor.registry
        await exchange.load_markets()
        await exchange.authenticate()
        seen = []
        connected = asyncio.Event()

        async def watch():
            while True:
                connected.set()
                seen.extend(order["status"] for order in await exchange.watch_orders(PERPETUAL))

        watching = asyncio.create_task(watch())
        await connected.wait()
        await until(lambda: registry.of_topic("user.orders"), WAIT_MS)
        low = (await exchange.fetch_ticker(PERPETUAL))["bid"] * 0.99
        order = await exchange.create_order(
            PERPETUAL, "limit", "buy", 100, low, {"label": "mine", "postOnly": True}
        )
        assert order["status"] == "open"
        edited = await exchange.edit_order(order["id"], PERPETUAL, "limit", "buy", 200, low * 0.999)
        assert (edited["id"], edited["amount"]) == (order["id"], 200)
        assert [o["id"] for o in await exchange.fetch_open_orders(PERPETUAL)] == [order["id"]]
        assert (await exchange.fetch_order(order["id"], PERPETUAL))["status"] == "open"
        assert (await exchange.cancel_order(order["id"], PERPETUAL))["status"] == "canceled"
        mine = asyncio.create_task(exchange.watch_my_trades(PERPETUAL))
        await until(lambda: registry.of_topic("user.trades"), WAIT_MS)
        await exchange.create_order(PERPETUAL, "market", "buy", 300)
        async with asyncio.timeout(WAIT_S):
            assert sum(trade["amount"] for trade in await mine) == 300
        await until(lambda: "closed" in seen, WAIT_MS)
        watching.cancel()
        assert seen[0] == "open"
        assert "canceled" in seen
        closed = await exchange.fetch_closed_orders(PERPETUAL)
        assert closed[-1]["filled"] == 300


async def fees_of(exchange, order):
    """Returns what each trade of an order cost, in BTC: it may have taken several."""
    trades = await exchange.fetch_my_trades(order["symbol"])
    fees = [trade["fee"] for trade in trades if trade["order"] == order["id"]]
    assert fees
    assert {fee["currency"] for fee in fees} == {"BTC"}
    return [fee["cost"] for fee in fees]


async def test_positions_balances_and_history_follow_the_trades():
    async with clients() as (exchange, _):
        await exchange.load_markets()
        option = await nearest_option(exchange)
        before = (await exchange.fetch_balance())["BTC"]["total"]
        order = await exchange.create_order(option, "market", "buy", 0.5)
        assert order["filled"] == 0.5
        hedge = await exchange.create_order(PERPETUAL, "market", "sell", 2000)
        positions = {p["symbol"]: p for p in await exchange.fetch_positions()}
        assert (positions[option]["side"], positions[option]["contracts"]) == ("long", 0.5)
        assert positions[PERPETUAL]["side"] == "short"
        assert abs((await exchange.fetch_position(PERPETUAL))["contracts"]) == 2000
        paid = order["average"] * 0.5
        after = await exchange.fetch_balance()
        assert before - after["BTC"]["total"] < paid
        summary = await exchange.private_get_get_account_summary({"currency": "BTC"})
        summary = summary["result"]
        fee = min(0.0003, 0.125 * order["average"]) * 0.5
        futures = sum(await fees_of(exchange, hedge))
        assert float(summary["balance"]) == pytest.approx(before - paid - fee - futures, abs=1e-9)
        assert sum(await fees_of(exchange, order)) == pytest.approx(fee, abs=1e-12)
        assert await exchange.cancel_all_orders(PERPETUAL) is not None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("limit", "buy", 100, 30_000.3), ccxt.InvalidOrder),
        (("limit", "buy", 1e11, 0.999), ccxt.InsufficientFunds),
        (("limit", "buy", 100, 2.0), ccxt.InvalidOrder),
    ],
)
async def test_wrong_orders_are_refused_as_ccxt_knows_them(arguments, error):
    kind, side, amount, price = arguments
    async with clients() as (exchange, _):
        await exchange.load_markets()
        mark = float((await exchange.fetch_ticker(PERPETUAL))["info"]["mark_price"])
        wanted = mark * price if price < 10 else price
        if price != 30_000.3:
            wanted = round(wanted)
        raw = {"instrument_name": "BTC-PERPETUAL", "amount": amount, "type": kind, "price": wanted}
        with pytest.raises(error):
            await getattr(exchange, f"private_get_{side}")(raw)


async def test_too_small_unknown_and_bad_keys_are_refused():
    async with clients() as (exchange, _):
        await exchange.load_markets()
        small = {"instrument_name": "BTC-PERPETUAL", "amount": 1, "type": "market"}
        with pytest.raises(ccxt.InvalidOrder):
            await exchange.private_get_buy(small)
        with pytest.raises(ccxt.BadSymbol):
            await exchange.create_order("BTC/USD:BTC-991231", "market", "buy", 10)
        with pytest.raises(ccxt.ExchangeError):
            await exchange.public_get_ticker({"instrument_name": "BTC-NOPE"})
        with pytest.raises(ccxt.OrderNotFound):
            await exchange.cancel_order("nope", PERPETUAL)
    async with clients(secret="wrong") as (exchange, _):
        with pytest.raises(ccxt.AuthenticationError):
            await exchange.fetch_balance()
