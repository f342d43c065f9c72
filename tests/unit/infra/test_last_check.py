from infra.last_check import position_differences
from shared.messages.market import Instrument


def listed(name: str) -> Instrument:
    return Instrument(
        name=name,
        instrument_id=1,
        kind="option",
        underlying="BTC",
        expiry_ns=1,
        strike_usd=1.0,
        is_call=True,
        tick_e8=10_000,
        tick_steps=(),
        lot_e8=10_000_000,
        maker_fee_ratio=0.0,
        taker_fee_ratio=0.0,
    )


INSTRUMENTS = {name: listed(name) for name in ("A", "B")}


def test_equal_positions_have_no_differences():
    assert position_differences({"A": 0.3, "B": -0.1}, {"A": 3, "B": -1}, INSTRUMENTS) == []


def test_each_kind_of_difference_is_named():
    found = position_differences({"A": 0.3, "C": 1.0}, {"A": 2, "B": 1}, INSTRUMENTS)
    assert found == [
        "C is held but was never listed",
        "A: desk 2, venue 3 lots",
        "B: desk 1, venue 0 lots",
    ]
