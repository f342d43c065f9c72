"""How a venue opens: its chain, its market and its test accounts, from a seed."""

import hashlib
from collections.abc import Sequence

import numpy as np

from services.venue.chain import Chain, chain_from_record, generate_chain
from services.venue.core import Config, MakeMarket, UserAccount, Venue
from services.venue.market import Market
from services.venue.market_access import MarketAccess
from services.venue.still_market import StillMarket
from shared.recorded_chain import read_chain


def open_chain(chain_path: str, seed: int, now_ns: int, underlyings: Sequence[str]) -> Chain:
    """Returns the recorded chain in a file, or (empty path) one made by the listing rules."""
    if chain_path:
        return chain_from_record(read_chain(chain_path), underlyings)
    return generate_chain(now_ns, seed, underlyings)


def build_venue(
    config: Config, chain: Chain, seed: int, users: Sequence[UserAccount], now_ns: int
) -> Venue:
    """Returns a venue that has just opened. The same arguments give the same venue.

    Tokens come from the seed too: whoever knows it can forge them, and it is a simulation.
    """
    assert now_ns >= chain.opened_ns
    secret = hashlib.sha256(f"venue tokens {seed}".encode()).digest()
    return Venue(config, chain, _market(config, chain, seed), users, secret, now_ns)


def _market(config: Config, chain: Chain, seed: int) -> MakeMarket:
    if not config.has_crowd:
        return lambda _access: StillMarket(chain)

    def make(access: MarketAccess) -> Market:
        return Market(config.market, chain, np.random.default_rng(seed), access)

    return make
