"""Where a desk takes the venue's datagrams, by its configuration."""

from infra import desk_plan, embedded_nats
from shared.configuration import DeskConfig

DESK = DeskConfig()


def test_a_desk_that_quotes_by_websocket_takes_no_datagrams() -> None:
    tables = {"market_making": {"transport": "websocket"}}
    assert desk_plan.feed(tables, DESK) is None


def test_a_desk_that_quotes_by_fix_has_two_ports_of_its_own() -> None:
    tables = {"market_making": {"transport": "fix"}}
    feed = desk_plan.feed(tables, DESK)
    assert feed is not None
    assert (feed.host, feed.groups) == ("127.0.0.1", ())
    assert feed.event_port != feed.snapshot_port


def test_a_multicast_venue_says_which_groups_to_join() -> None:
    tables = {
        "market_making": {"transport": "fix"},
        "venue": {"multicast": {"mode": "multicast", "group_prefix": "239.1.2"}},
    }
    feed = desk_plan.feed(tables, DeskConfig(underlyings=("ETH",)))
    assert feed is not None
    assert (feed.event_port, feed.snapshot_port) == (6100, 6101)
    assert feed.groups == ("239.1.2.0", "239.1.2.4", "239.1.2.6", "239.1.2.5")


def test_ports_are_none_that_an_outgoing_connection_can_take():
    ports = [embedded_nats.free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert max(ports) < embedded_nats.ephemeral_port_first()
