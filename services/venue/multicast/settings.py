"""To whom market data goes over UDP: listeners one by one, or multicast groups."""

from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from services.venue.multicast.channels import PRICE_INDEX, SNAPSHOTS, Channel, channels, currency_of
from shared.configuration import FeedAddress

Port = Annotated[int, Meta(ge=1, le=65_535)]


class Destination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A listener: all event channels come to one port, all snapshot channels to another. With
    `underlyings`, only theirs, and the price indices."""

    host: str = "127.0.0.1"
    event_port: Port
    snapshot_port: Port
    underlyings: tuple[str, ...] = ()

    def wants(self, channel_id: int) -> bool:
        if not self.underlyings or channel_id == PRICE_INDEX:
            return True
        return currency_of(channel_id) in self.underlyings


class MulticastConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[venue.multicast]`. Without a listener nothing is published."""

    mode: Literal["unicast", "multicast"] = "unicast"
    destinations: tuple[Destination, ...] = ()  # unicast; a desk's own listener comes on top
    group_prefix: Annotated[str, Meta(pattern=r"^\d{1,3}\.\d{1,3}\.\d{1,3}$")] = "239.111.111"
    event_port: Port = 6100  # of all groups
    snapshot_port: Port = 6101
    interface: str = "127.0.0.1"  # its address
    ttl: Annotated[int, Meta(ge=0, le=1)] = 0  # 0: this machine only
    snapshot_cycle_ms: Annotated[int, Meta(ge=200, le=60_000)] = 2_000


def destinations(
    config: MulticastConfig, feeds: Collection[FeedAddress] = ()
) -> tuple[Destination, ...]:
    """Returns every listener of a unicast venue; `feeds` are the desk's own."""
    assert config.mode == "unicast"
    own = (
        Destination(
            host=feed.host,
            event_port=feed.event_port,
            snapshot_port=feed.snapshot_port,
            underlyings=feed.underlyings,
        )
        for feed in feeds
    )
    return (*config.destinations, *own)


def is_wanted(config: MulticastConfig, feeds: Collection[FeedAddress] = ()) -> bool:
    return config.mode == "multicast" or bool(destinations(config, feeds))


def feed_address(
    config: MulticastConfig, underlyings: Sequence[str], event_port: int, snapshot_port: int
) -> FeedAddress:
    """Returns where a desk on this machine listens; the ports are for a unicast venue."""
    if config.mode == "unicast":
        return FeedAddress(
            host="127.0.0.1",
            event_port=event_port,
            snapshot_port=snapshot_port,
            underlyings=tuple(underlyings),
        )
    return FeedAddress(
        host=config.interface,
        event_port=config.event_port,
        snapshot_port=config.snapshot_port,
        groups=tuple(f"{config.group_prefix}.{number}" for number in _numbers(underlyings)),
    )


def described(config: MulticastConfig, underlyings: Sequence[str]) -> dict[str, Any] | None:
    """Returns what a client must know to listen; None where nothing is published."""
    if not is_wanted(config):
        return None
    return {
        "mode": config.mode,
        "interface": config.interface if config.mode == "multicast" else None,
        "snapshot_cycle_ms": config.snapshot_cycle_ms,
        "channels": [
            {"channel_id": number, "currency": currency, "product": product,
             "events": addresses(config, config.destinations, number),
             "snapshot_channel_id": number + SNAPSHOTS if product != "price_index" else None,
             "snapshots": [] if product == "price_index"
             else addresses(config, config.destinations, number + SNAPSHOTS)}
            for number, currency, product in (
                Channel(PRICE_INDEX, "any", "price_index"), *channels(underlyings)
            )
        ],
    }  # fmt: skip


def addresses(
    config: MulticastConfig, listeners: Sequence[Destination], channel_id: int
) -> list[tuple[str, int]]:
    """Returns hosts and ports that a channel's packets go to."""
    is_snapshot = channel_id >= SNAPSHOTS
    if config.mode == "multicast":
        port = config.snapshot_port if is_snapshot else config.event_port
        return [(f"{config.group_prefix}.{channel_id % SNAPSHOTS}", port)]
    return [
        (to.host, to.snapshot_port if is_snapshot else to.event_port)
        for to in listeners
        if to.wants(channel_id)
    ]


def _numbers(underlyings: Sequence[str]) -> tuple[int, ...]:
    return (PRICE_INDEX, *(channel.number for channel in channels(underlyings)))
