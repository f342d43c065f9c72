"""How a venue opens: its chain, its market and its test accounts, from a seed."""

import hashlib
from collections.abc import Sequence

import numpy as np

from services.venue.core import Config, MakeMarket, UserAccount, Venue
from services.venue.market.chain import Chain, chain_from_record, generate_chain
from services.venue.market.listing import STRIKES_MAX
from services.venue.market.market import Market
from services.venue.market.market_access import MarketAccess
from services.venue.market.still_market import StillMarket
from services.venue.persistence.recall import Recalled, restore
from shared.recorded_chain import read_chain


def open_chain(
    chain_path: str,
    seed: int,
    now_ns: int,
    underlyings: Sequence[str],
    strikes_max: int = STRIKES_MAX,
) -> Chain:
    """Returns the recorded chain in a file, or (empty path) one made by the listing rules."""
    if chain_path:
        return chain_from_record(read_chain(chain_path), underlyings)
    return generate_chain(now_ns, seed, underlyings, strikes_max)


def build_venue(
    config: Config,
    chain: Chain,
    seed: int,
    users: Sequence[UserAccount],
    now_ns: int,
    recalled: Recalled | None = None,
) -> Venue:
    """Returns a venue that has just opened, or comes back with what is recalled of it. The same
    arguments give the same venue.

    Tokens come from the seed too: whoever knows it can forge them, and it is a simulation.
    """
    assert now_ns >= chain.opened_ns
    if recalled is None:
        secret = hashlib.sha256(f"venue tokens {seed}".encode()).digest()
        return Venue(config, chain, _market(config, chain, seed), users, secret, now_ns)
    # Tokens of before are void: the new venue counts its tokens from the start.
    secret = hashlib.sha256(f"venue tokens {seed} {now_ns}".encode()).digest()
    make = _market(config, chain, seed, now_ns, recalled)
    venue = Venue(config, chain, make, users, secret, now_ns)
    restore(venue, recalled)
    return venue


def _market(
    config: Config, chain: Chain, seed: int, now_ns: int = 0, recalled: Recalled | None = None
) -> MakeMarket:
    if not config.has_crowd:

        def still(_access: MarketAccess) -> StillMarket:
            market = StillMarket(chain)
            for listing in recalled.checkpoint.listings if recalled is not None else ():
                market.take_listing(listing)
            return market

        return still

    def make(access: MarketAccess) -> Market:
        market = Market(config.market, chain, np.random.default_rng(seed), access)
        if recalled is not None:
            listings = recalled.checkpoint.listings
            market.resume(recalled.seen_ns, now_ns, recalled.premiums, listings)
        return market

    return make
