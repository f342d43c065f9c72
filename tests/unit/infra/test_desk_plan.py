"""Where a desk takes the venue's datagrams, by its configuration."""

import pytest

from infra import desk_config, desk_plan, embedded_nats, topology
from shared.configuration import DeskConfig

DESK = DeskConfig()
WHOLE = topology.instances().values()


def test_a_desk_that_quotes_by_websocket_takes_no_datagrams() -> None:
    tables = {"market_making": {"transport": "websocket"}}
    assert desk_plan.feeds(tables, DESK, WHOLE) == {}


def test_a_desk_that_quotes_by_fix_has_two_ports_of_its_own() -> None:
    tables = {"market_making": {"transport": "fix"}}
    feed = desk_plan.feeds(tables, DESK, WHOLE)["market_making"]
    assert (feed.host, feed.groups) == ("127.0.0.1", ())
    assert feed.event_port != feed.snapshot_port


def test_a_multicast_venue_says_which_groups_to_join() -> None:
    tables = {
        "market_making": {"transport": "fix"},
        "venue": {"multicast": {"mode": "multicast", "group_prefix": "239.1.2"}},
    }
    feed = desk_plan.feeds(tables, DeskConfig(underlyings=("ETH",)), WHOLE)["market_making"]
    assert (feed.event_port, feed.snapshot_port) == (6100, 6101)
    assert feed.groups == ("239.1.2.0", "239.1.2.4", "239.1.2.6", "239.1.2.5")


def test_ports_are_none_that_an_outgoing_connection_can_take():
    ports = [embedded_nats.free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    assert max(ports) < embedded_nats.ephemeral_port_first()


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HEDGEROW_HOME", str(tmp_path))
    return tmp_path


def test_only_who_holds_a_venue_session_is_told_where_its_secret_is(home):
    plan = desk_plan.make("", "", 1, None)
    told = {
        program.name
        for program in (plan.venue, *plan.agents)
        if "HEDGEROW_VENUE_SECRET_FILE" in program.environment
    }
    assert told == {"venue", "gateway", "market_making"}
    assert "venue.secret" not in (plan.directory / "runtime.json").read_text()


def test_every_process_is_told_of_its_own_key_alone(home):
    plan = desk_plan.make("", "", 1, None)
    for program in (plan.venue, *plan.agents):
        assert program.environment["HEDGEROW_BUS_NKEY_FILE"].endswith(f"/keys/{program.name}.nk")
    assert "HEDGEROW_BUS_NKEY_FILE" not in plan.nats.environment
    assert ".nk" not in (plan.directory / "runtime.json").read_text()


def test_an_open_bus_is_a_setting(home):
    plan = desk_plan.make(desk_config.write_open_bus(home), "", 1, None)
    assert not plan.runtime.bus_authority_path
    assert "include" not in (plan.directory / "nats.conf").read_text()
    assert not (plan.directory / "bus").exists()


def test_a_shard_has_its_own_key_port_and_datagrams(home):
    plan = desk_plan.make("", "", 1, None, is_sharded=True)
    assert plan.names_of("market_making", "risk") == [
        "market_making-btc", "market_making-eth", "risk",
    ]  # fmt: skip
    programs = {program.name: program.environment for program in plan.agents}
    assert set(programs) == set(plan.processes) - {"venue"}
    btc = programs["market_making-btc"]
    assert btc["HEDGEROW_SHARD"] == "BTC"
    assert btc["HEDGEROW_BUS_NKEY_FILE"].endswith("/keys/market_making-btc.nk")
    assert "HEDGEROW_SHARD" not in programs["risk"]
    feeds = plan.runtime.feeds
    assert set(feeds) == {"market_making-btc", "market_making-eth"}
    ports = [port for feed in feeds.values() for port in (feed.event_port, feed.snapshot_port)]
    assert len(set(ports)) == 4
    granted = (plan.directory / "bus" / "nats" / "security.conf").read_text()
    assert '"desk.heartbeat.v1.market_making-btc"' in granted
    assert '"desk.heartbeat.v1.market_making"' not in granted
