"""Channels: one per currency and product, numbered as the venue's own captures show them.

0 is the price index, 1 to 3 BTC's perpetual, options and futures, 4 to 6 ETH's. A channel's
snapshots are 100 higher. Facts: ../shared/reference/venue.md section 2.
"""

from collections.abc import Sequence
from typing import NamedTuple

from shared.messages.market import Instrument

PRICE_INDEX = 0
SNAPSHOTS = 100  # added to a channel's number
CURRENCIES = ("BTC", "ETH")
PRODUCTS = ("perpetual", "option", "future")


class Channel(NamedTuple):
    number: int
    currency: str
    product: str


def channel_of(instrument: Instrument) -> int:
    """Returns the event channel of an instrument."""
    return _number(instrument.underlying, instrument.kind)


def currency_of(number: int) -> str:
    """Returns the currency of a channel with instruments, or of one with their snapshots."""
    return CURRENCIES[(number % SNAPSHOTS - 1) // len(PRODUCTS)]


def channels(underlyings: Sequence[str]) -> tuple[Channel, ...]:
    """Returns the channels with instruments, those that others are priced from first."""
    return tuple(
        Channel(_number(currency, product), currency, product)
        for product in ("perpetual", "future", "option")
        for currency in underlyings
    )


def _number(currency: str, product: str) -> int:
    return 1 + len(PRODUCTS) * CURRENCIES.index(currency) + PRODUCTS.index(product)
