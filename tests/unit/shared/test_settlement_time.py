import pytest

from shared.clock import NS_PER_DAY, NS_PER_S
from shared.settlement import SETTLING_NS, is_settling, next_settlement_ns

EIGHT_NS = 20_000 * NS_PER_DAY + 8 * 3600 * NS_PER_S


@pytest.mark.parametrize(
    ("now_ns", "next_ns"),
    [
        (EIGHT_NS - NS_PER_DAY + 1, EIGHT_NS),
        (EIGHT_NS - 8 * 3600 * NS_PER_S, EIGHT_NS),  # midnight
        (EIGHT_NS - 1, EIGHT_NS),
        (EIGHT_NS, EIGHT_NS + NS_PER_DAY),  # it has begun
    ],
)
def test_the_next_settlement_is_the_next_eight_o_clock(now_ns, next_ns):
    assert next_settlement_ns(now_ns) == next_ns


def test_a_settlement_lasts_until_everybody_has_heard_of_it():
    told = [is_settling(EIGHT_NS + at_ns) for at_ns in (-1, 0, SETTLING_NS - 1, SETTLING_NS)]
    assert told == [False, True, True, False]
