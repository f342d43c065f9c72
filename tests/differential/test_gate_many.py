"""A hundred thousand orders a run, and what the oracle sees when a control is off."""

import numpy as np
import pytest

from native.engine import GATE_REASONS
from tests.differential.gate_columns import Orders
from tests.differential.gate_judge import CONTROLS, judge
from tests.differential.gate_many import gate, run

ORDERS = 200_000
SEED = 7_000_000  # Far from those of `make gate-oracle`.

WIDER = {
    "value": "value_usd_max",
    "size": "quote_lots_max",
    "position": "position_lots_max",
    "delta": "delta_coin_max",
    "vega": "vega_usd_max",
    "gamma": "gamma_coin_per_usd_max",
    "drift": "drift_coin_max",
    "collar": "collar_coin",
    "stale_surface": "surface_age_ns_max",
    "stale_tick": "tick_age_ns_max",
    "repeated": "executions_max",
}


@pytest.fixture(scope="module")
def drawn():
    return Orders(SEED, 60_000).draw()


def test_no_order_is_wrongly_accepted_or_rejected():
    tally = run(ORDERS, SEED)
    assert tally.wrong_accepts == 0
    assert tally.wrong_rejects == 0
    assert tally.wrong_reasons == 0
    # Every reason that an order can have has been given, and many passed; "rate" counts messages.
    assert set(tally.verdicts) == set(GATE_REASONS) - {"rate"}
    assert tally.verdicts["ok"] > ORDERS // 20
    assert min(tally.verdicts.values()) > ORDERS // 1000


@pytest.mark.parametrize("control", CONTROLS)
def test_an_oracle_without_a_control_disagrees(control, drawn):
    expected = judge(*drawn, without=control)
    actual = gate(*drawn)
    assert (expected != actual).sum() > 100
    assert ((expected == "ok") & (actual == control)).sum() > 0  # it alone stood in the way


@pytest.mark.parametrize("control", WIDER)
def test_a_gate_with_a_wider_limit_is_found_out(control, drawn):
    limits, state, order = drawn
    wider = limits.copy()
    wider[WIDER[control]] = np.where(limits[WIDER[control]] > 0, limits[WIDER[control]] * 1000, 0)
    expected = judge(limits, state, order)
    wrong = (expected == control) & (gate(wider, state, order) == "ok")
    assert wrong.sum() > 0
