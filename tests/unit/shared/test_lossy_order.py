import msgspec
import pytest

from infra.golden import sample
from shared.lossy_order import LossyOrder
from shared.messages.market import TicksV1
from shared.messages.message import subject_of
from shared.messages.risk import LeaseV1


def ticks(number, underlying="BTC"):
    return msgspec.structs.replace(sample(TicksV1), sequence=number, underlying=underlying)


def counted(*messages):
    order = LossyOrder()
    for message in messages:
        order.note(subject_of(message), message)
    return order.missed_count, order.disordered_count


@pytest.mark.parametrize(
    ("numbers", "missed", "disordered"),
    [
        ((1, 2, 3), 0, 0),
        ((1, 4, 5), 2, 0),
        ((1, 3, 2, 4), 1, 1),
        ((1, 2, 2, 3), 0, 1),
        ((5_000, 1, 2), 0, 0),  # another life
        ((1, 5_000, 5_001), 0, 0),
    ],
)
def test_holes_and_late_ones_are_counted(numbers, missed, disordered):
    assert counted(*(ticks(number) for number in numbers)) == (missed, disordered)


def test_keys_are_numbered_apart():
    assert counted(ticks(1), ticks(9, "ETH"), ticks(2)) == (0, 0)


def test_what_is_numbered_by_the_clock_has_no_holes():
    lease = sample(LeaseV1)
    assert counted(lease, msgspec.structs.replace(lease, sequence=lease.sequence + 200)) == (0, 0)


def test_what_was_shed_unread_is_not_told_as_lost():
    for is_forgotten, missed in ((True, 0), (False, 3)):
        order = LossyOrder()
        order.note("market.ticks.v1.BTC", ticks(1))
        if is_forgotten:
            order.forget("market.ticks.v1.BTC")
        order.note("market.ticks.v1.BTC", ticks(5))
        order.note("market.ticks.v1.BTC", ticks(6))
        assert order.missed_count == missed
