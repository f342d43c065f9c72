"""Every recorded chain opens with its own marks and its own best prices."""

import os
from pathlib import Path

import numpy as np
import pytest

from infra.bare_market import BareMarket
from native.pricing import black76_batch
from services.venue.market.chain import chain_from_record
from services.venue.market.market import MarketConfig
from shared.clock import NS_PER_YEAR
from shared.recorded_chain import read_chain

FOLDER = Path(os.environ.get("HEDGEROW_DATA", "../shared/data")) / "deribit_option_chains"
FILES = sorted(FOLDER.glob("*.csv.gz"))

pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not FILES, reason="no recorded chains here; see HEDGEROW_DATA"),
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[-23:-7])
def test_marks_and_best_prices_at_the_open_are_the_recorded_ones(path):
    recorded = read_chain(path)
    chain = chain_from_record(recorded)
    bare = BareMarket(MarketConfig(), chain, 1)
    bare.run_until(chain.opened_ns + 300 * 1_000_000)
    market, board = bare.market, bare.market.board
    options = board.options
    forwards = market.forwards_usd()[options]
    years = (board.option_expiry_ns - bare.now_ns) / NS_PER_YEAR
    greeks = black76_batch(
        forwards, board.option_strike, years, market.vols()[options], board.option_is_call
    )
    marks = np.maximum(greeks.price / forwards + market.mark_residuals_coin()[options], 0.0)
    rows = {row.instrument_name: row for row in recorded.rows}
    shown = {chain.instruments[at].name: mark for at, mark in zip(options, marks, strict=True)}
    listed = {row.instrument_name for row in recorded.rows if row.expiry_ns > chain.opened_ns}
    assert shown.keys() == listed
    for name, mark in shown.items():
        assert mark == pytest.approx(rows[name].mark_coin or 0.0, abs=1e-4), name
    best = bare.best()
    for at in options:
        row = rows[chain.instruments[at].name]
        assert best.bid_ticks[at] == round((row.bid_coin or 0.0) * 1e4), row.instrument_name
        assert best.ask_ticks[at] == round((row.ask_coin or 0.0) * 1e4), row.instrument_name
