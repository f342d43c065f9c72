"""What is written for a private bus: who has a key, and what stays when it is written again."""

import stat
import subprocess

import nkeys
import pytest

from infra import bus_keys, permissions, topology
from infra.embedded_nats import server_path
from infra.permissions import all_grants, grants, render
from shared.configuration import DeskConfig
from shared.streams import RECORD

DESK = DeskConfig()


@pytest.fixture(scope="module")
def everybody():
    return permissions.roles(topology.services(), DESK)


@pytest.fixture(scope="module")
def granted(everybody):
    return all_grants(everybody)


def test_everybody_has_a_key_of_their_own(everybody, granted, tmp_path):
    render(tmp_path, granted)
    around = {"observer", "alerting", "operator", "provisioner"}
    assert {*topology.SERVICES, *around} == {*everybody}
    seeds = {(tmp_path / "keys" / f"{name}.nk").read_bytes() for name in everybody}
    assert len(seeds) == len(everybody)
    for name in everybody:
        mode = (tmp_path / "keys" / f"{name}.nk").stat().st_mode
        assert stat.S_IMODE(mode) == 0o400


def test_a_server_takes_what_is_written(granted, tmp_path):
    included = render(tmp_path, granted, ("nats-1", "10.1.2.3"))
    path = tmp_path / "server.conf"
    path.write_text(f'include "{included.relative_to(tmp_path)}"\njetstream {{}}\n')
    argv = [server_path(), "-t", "-c", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert bus_keys._names_in(tmp_path / "nats" / "server.pem") == {
        "nats-1", "10.1.2.3", "localhost", "127.0.0.1",
    }  # fmt: skip


def test_rendering_again_keeps_every_key(granted, tmp_path):
    few = {name: granted[name] for name in ("risk", "gateway")}
    render(tmp_path, few)
    before = kept(tmp_path)
    render(tmp_path, granted)
    after = kept(tmp_path)
    assert {path: after[path] for path in before} == before
    text = (tmp_path / "nats" / "security.conf").read_text()
    for path, seed in after.items():
        if path.suffix == ".nk":
            assert nkeys.from_seed(bytearray(seed)).public_key.decode() in text
            assert seed.decode() not in text


def test_other_servers_need_another_certificate(granted, tmp_path):
    few = {"risk": granted["risk"]}
    render(tmp_path, few, ("nats-1",))
    before = kept(tmp_path)
    render(tmp_path, few, ("nats-2",))
    after = kept(tmp_path)
    assert after[tmp_path / "keys" / "risk.nk"] == before[tmp_path / "keys" / "risk.nk"]
    assert after[tmp_path / "ca.pem"] != before[tmp_path / "ca.pem"]
    assert after[tmp_path / "ca.pem"] == after[tmp_path / "nats" / "ca.pem"]


def kept(directory):
    found = (path for path in directory.rglob("*") if path.suffix in {".nk", ".pem", ".key"})
    return {path: path.read_bytes() for path in found}


def test_what_is_wired_is_granted_and_nothing_more(everybody):
    granted = grants(everybody["execution"], everybody)
    assert "orders.place.v1" in granted.publish
    assert "orders.fill.v1.>" not in granted.publish
    assert "market.ticks.>" in granted.subscribe
    assert "orders.place.>" not in granted.subscribe
    hijack = f"$JS.API.CONSUMER.CREATE.{RECORD}.gateway-commands"
    assert hijack in granted.publish_never


def test_a_desk_that_quotes_by_websocket_may_hear_ticks():
    tables = {"market_making": {"transport": "websocket"}}
    for given, hears in (({}, False), (tables, True)):
        everybody = permissions.roles(topology.services(given), DESK)
        granted = grants(everybody["market_making"], everybody)
        assert ("market.ticks.>" in granted.subscribe) == hears


def test_only_the_provisioner_makes_streams(everybody):
    makers = {
        name
        for name, role in everybody.items()
        if any(".STREAM.CREATE." in subject for subject in grants(role, everybody).publish)
    }
    assert makers == {"provisioner"}
    every = [subject for role in everybody.values() for subject in grants(role, everybody).publish]
    assert not [subject for subject in every if "PURGE" in subject or "DELETE" in subject]
