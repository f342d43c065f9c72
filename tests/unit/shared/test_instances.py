"""One process among several of a service: its name, its part of the desk, what it may not be."""

import msgspec
import pytest

from infra import topology
from infra.topology import paper_run
from services.hedging.core import Config as HedgingConfig
from services.hedging.service import build as build_hedging
from services.risk.core import Config as RiskConfig
from services.risk.service import build as build_risk
from shared.configuration import (
    RUNTIME_VARIABLE,
    SHARD_VARIABLE,
    ConfigurationError,
    DeskConfig,
    read_runtime,
)
from shared.main import EXIT_CONFIGURATION, main
from shared.messages.risk import HaltV1
from shared.service import Service, on
from shared.streams import configurations


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    path = tmp_path / "runtime.json"
    path.write_bytes(msgspec.json.encode(paper_run(DeskConfig())))
    monkeypatch.setenv(RUNTIME_VARIABLE, str(path))
    return tmp_path


def test_a_process_of_a_shard_has_a_name_of_its_own(run_folder, monkeypatch):
    assert read_runtime().instance("pricing") == "pricing"
    monkeypatch.setenv(SHARD_VARIABLE, "ETH")
    assert read_runtime().instance("pricing") == "pricing-eth"


def test_a_shard_has_its_underlying_and_its_share_of_requests():
    part = DeskConfig().of_shard("ETH")
    assert (part.underlyings, part.venue_share) == (("ETH",), 0.5)
    assert DeskConfig(underlyings=("BTC",)).of_shard("BTC").venue_share == 1.0
    with pytest.raises(ConfigurationError, match="SOL"):
        DeskConfig().of_shard("SOL")


def test_an_instance_has_its_own_session_at_the_venue():
    whole = topology.services()["market_making"]
    named = whole.of_shard("market_making-btc", "BTC")
    assert named.name == "market_making-btc"
    assert named.link is not None
    assert named.link.session_name == "market_making-btc"


def test_a_shard_is_deaf_to_other_underlyings():
    heard = []
    service = Service(
        name="x", consumes=(on(HaltV1, lambda halt: heard.append(halt.halt_id) or ()),)
    )
    (consume,) = service.of_shard("x-btc", "BTC").consumes
    for underlying in ("BTC", "ETH", "all"):
        consume.handler(
            HaltV1(
                created_ns=1, halt_id=underlying, underlying=underlying, action="halt", reason="r",
                author="risk",
            )
        )  # fmt: skip
    assert heard == ["BTC", "all"]


def test_what_is_for_all_underlyings_refuses_to_be_a_shard(run_folder, monkeypatch, capsys):
    monkeypatch.setenv(SHARD_VARIABLE, "BTC")
    with pytest.raises(SystemExit) as ended:
        main(build_risk, RiskConfig)
    assert ended.value.code == EXIT_CONFIGURATION
    assert "risk is for all underlyings together" in capsys.readouterr().err


def test_a_shard_of_an_unknown_underlying_does_not_start(run_folder, monkeypatch, capsys):
    monkeypatch.setenv(SHARD_VARIABLE, "SOL")
    with pytest.raises(SystemExit) as ended:
        main(build_hedging, HedgingConfig)
    assert ended.value.code == EXIT_CONFIGURATION
    assert "SOL" in capsys.readouterr().err


def test_the_list_of_what_can_be_sharded_is_that_of_the_wiring():
    wired = [name for name, one in topology.services().items() if one.is_per_underlying]
    assert wired == list(topology.PER_UNDERLYING)


def test_every_stream_is_kept_by_as_many_servers_as_the_run_says():
    assert {one["num_replicas"] for one in configurations(3)} == {3}
    assert {one["num_replicas"] for one in configurations()} == {1}
