"""What the venue says of where it publishes."""

from services.venue.multicast.settings import (
    Destination,
    MulticastConfig,
    addresses,
    described,
    destinations,
    feed_address,
    is_wanted,
)
from shared.configuration import FeedAddress

DESK = FeedAddress(host="127.0.0.1", event_port=1001, snapshot_port=1002)
OTHER = Destination(event_port=2001, snapshot_port=2002)


def test_nothing_is_published_where_nobody_listens() -> None:
    assert not is_wanted(MulticastConfig())
    assert described(MulticastConfig(), ("BTC",)) is None
    assert is_wanted(MulticastConfig(), [DESK])
    assert is_wanted(MulticastConfig(mode="multicast"))


def test_a_desks_own_listener_comes_on_top_of_those_configured() -> None:
    config = MulticastConfig(destinations=(OTHER,))
    assert destinations(config, [DESK]) == (OTHER, Destination(event_port=1001, snapshot_port=1002))


def test_a_shard_is_sent_its_own_channels_and_the_indices_and_others_everything() -> None:
    config = MulticastConfig()
    shard = feed_address(config, ["ETH"], event_port=3001, snapshot_port=3002)
    listeners = destinations(config, [DESK, shard])
    heard = {
        number: [port for _, port in addresses(config, listeners, number)]
        for number in (0, 1, 2, 3, 4, 5, 6, 102, 105)
    }
    assert heard == {
        0: [1001, 3001], 1: [1001], 2: [1001], 3: [1001],
        4: [1001, 3001], 5: [1001, 3001], 6: [1001, 3001], 102: [1002], 105: [1002, 3002],
    }  # fmt: skip


def test_multicast_channels_have_a_group_each() -> None:
    told = described(MulticastConfig(mode="multicast"), ("BTC", "ETH"))
    assert told is not None
    index, *others = told["channels"]
    assert (index["product"], index["snapshot_channel_id"]) == ("price_index", None)
    assert index["events"] == [("239.111.111.0", 6100)]
    assert {c["channel_id"]: (c["currency"], c["product"]) for c in others} == {
        1: ("BTC", "perpetual"), 2: ("BTC", "option"), 3: ("BTC", "future"),
        4: ("ETH", "perpetual"), 5: ("ETH", "option"), 6: ("ETH", "future"),
    }  # fmt: skip
    for channel in others:
        number = channel["channel_id"]
        assert channel["events"] == [(f"239.111.111.{number}", 6100)]
        assert channel["snapshots"] == [(f"239.111.111.{number}", 6101)]
        assert channel["snapshot_channel_id"] == number + 100
