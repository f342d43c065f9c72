"""The gateway's readers on recorded messages of the real venue."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from services.gateway.books import Book
from services.gateway.listing import parse_instrument
from services.gateway.market_data import UnderlyingFeed
from services.gateway.order_states import read_order
from shared.messages.market import Instrument
from shared.venue_link import VenueNotice, VenueReply
from tests.recorded import recorded
from tests.unit.gateway.scripted import PERPETUAL, PERPETUAL_ROW, Scripted
from tests.unit.shared.test_venue_session import T0, log_in, new_session

pytestmark = pytest.mark.recorded
FOLDER = "deribit_ws_fixtures"


def load(name: str) -> Any:
    return json.loads(recorded(f"{FOLDER}/{name}").read_bytes())


def tardis(channel: str) -> Iterator[dict[str, Any]]:
    for message in load("tardis_node_deribit_raw_messages.json"):
        if message["params"]["channel"].startswith(channel):
            yield message["params"]["data"]


def perpetual() -> Instrument:
    instrument = parse_instrument(PERPETUAL_ROW, "BTC")
    assert instrument is not None
    return instrument


def test_recorded_instruments_are_read_and_combos_left() -> None:
    rows = load("http_get_instruments.json")["result"]
    read = [parse_instrument(row, "BTC") for row in rows if row["kind"] in {"option", "future"}]
    assert [(one.name, one.kind) for one in read if one] == [
        ("BTC-PERPETUAL", "perpetual"),
        ("BTC-27DEC24", "future"),
        ("BTC-27DEC24-100000-C", "option"),
    ]
    assert parse_instrument(rows[-1], "BTC") is None


def test_recorded_book_is_built() -> None:
    book = Book(price_scale=2.0, amount_scale=0.1)
    assert book.apply(load("ws_book_snapshot.json")["params"]["data"])
    assert (book.bid_ticks, book.ask_ticks) == (85_000, 85_002)
    assert book.apply(load("ws_book_delta.json")["params"]["data"])
    assert (book.bid_ticks, book.bid_lots) == (85_000, 95)
    assert (book.ask_ticks, book.ask_lots) == (85_003, 70)


def test_first_book_of_a_new_instrument_comes_as_a_change() -> None:
    [data] = tardis("book.ETH-10SEP21")
    book = Book(price_scale=10_000.0, amount_scale=1.0)
    assert book.apply(data)
    assert (book.bid_ticks, book.ask_ticks, book.bid_lots) == (190, 370, 93)


def test_snapshot_that_names_a_change_before_it_is_a_snapshot() -> None:
    [data] = tardis("book.LINK")
    assert Book(price_scale=1000.0, amount_scale=1.0).apply(data)


def test_recorded_quote_and_ticker_are_read() -> None:
    feed = UnderlyingFeed("BTC")
    market = feed.add(perpetual(), is_open=True)
    market.on_quote(load("ws_quote.json")["params"]["data"], 0)
    assert (market.bid_ticks, market.bid_lots) == (184_576, 13_344)
    market.on_ticker(load("ws_ticker.json")["params"]["data"], 0)
    assert (market.mark_price, market.is_open) == (92281.78, True)


def test_every_recorded_ticker_is_read() -> None:
    market = UnderlyingFeed("BTC").add(perpetual(), is_open=True)
    states = set()
    for data in tardis("ticker."):
        market.on_ticker(data | {"state": data.get("state", "open")}, 0)
        states.add(market.is_open)
    assert states == {True, False}


def test_recorded_order_answers_are_read() -> None:
    gateway = Scripted()
    gateway.ready()
    listing = gateway.core.listing
    listing.take("BTC", "future", [{**PERPETUAL_ROW, "tick_size": 0.01, "min_trade_amount": 0.001}])
    for name, state in (
        ("ws_order_buy_response.json", "open"),
        ("ws_order_edit_response.json", "open"),
        ("ws_order_cancel_response.json", "cancelled"),
        ("ws_order_stop_market_no_filled_amount.json", "open"),
    ):
        result = load(name)["result"]
        row = {**result.get("order", result), "instrument_name": PERPETUAL}
        assert read_order(row, listing).state == state


def test_session_reads_every_recorded_message() -> None:
    session = new_session()
    log_in(session)
    for path in sorted(recorded(FOLDER).glob("ws_*.json")):
        out = session.on_bytes(path.read_bytes(), T0)
        assert out.close_reason == ""
        assert all(isinstance(event, VenueNotice | VenueReply) for event in out.events)
    assert session.malformed_count == 0
