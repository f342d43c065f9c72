"""Every experiment is whole: a hypothesis, a fault, its own alert, a rollback, and an off leg."""

import importlib
import inspect
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from chaoslib.experiment import ensure_experiment_is_valid

from chaos import probes
from chaos.run import EXPERIMENTS, about, laid_over, named, spoils_wires, targets, toml
from chaos.weaken import NO_RESTART, NO_SPARE, WEAKENED
from infra.alerting.declared import BY_NAME
from infra.deployment import ROOT, dns_name
from infra.desk_plan import check_tables
from shared.configuration import load_tables

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
# What works by signals and by what the venue and the watcher tell.
IN_CONTAINERS = {
    "kill",
    "pause",
    "hold",
    "mend",
    "alert_after",
    "quotes_gone_after",
    "quoting_after",
    "is_steady",
}
NAMES = sorted(path.stem for path in EXPERIMENTS.glob("*.json"))


def load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXPERIMENTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def activities(experiment: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        *experiment["steady-state-hypothesis"]["probes"],
        *experiment["method"],
        *experiment["rollbacks"],
    ]


def test_there_are_twenty_and_ten_in_ci() -> None:
    assert len(NAMES) >= 20
    assert sum("ci" in load(name)["tags"] for name in NAMES) >= 10


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_is_whole(name: str) -> None:
    experiment = load(name)
    ensure_experiment_is_valid(experiment)
    ours = about(experiment)
    assert set(ours["alerts"]) <= set(BY_NAME)
    assert ours["alerts"], "a fault has its own alert"
    assert ours["protection"]
    off = ours["off"]
    assert off, "a protection can be switched off"
    assert off.get("weaken", NO_RESTART) in {NO_RESTART, NO_SPARE, *WEAKENED}
    assert experiment["rollbacks"][-1]["provider"]["func"] == "mend"
    names = [step["name"] for step in experiment["method"]]
    assert "recovered" in names
    assert "detected by its own alert" in names


@pytest.mark.parametrize("name", NAMES)
def test_what_an_experiment_calls_takes_what_it_is_given(name: str) -> None:
    for activity in activities(load(name)):
        provider = activity["provider"]
        function = getattr(importlib.import_module(provider["module"]), provider["func"])
        inspect.signature(function).bind(**provider.get("arguments", {}))


@pytest.mark.parametrize("name", named("", {"containers"}))
def test_an_experiment_on_containers_asks_nothing_of_a_process_desk(name: str) -> None:
    experiment = load(name)
    assert "desk" not in about(experiment), "containers have settings of their own"
    services = {dns_name(one) for one in targets(experiment)}
    assert services
    assert services <= COMPOSE["services"].keys()
    assert {step["provider"]["func"] for step in experiment["method"]} <= IN_CONTAINERS


def test_every_experiment_has_a_desk_to_run_on() -> None:
    assert set(named("", {"process"})) | set(named("", {"containers"})) == set(NAMES)
    assert set(named("", {"ci"})) == set(named("", {"ci", "process"}))


def test_only_who_spoils_wires_gets_proxies() -> None:
    assert {name for name in NAMES if spoils_wires(load(name))} == {
        "bus_lossy", "bus_reordering", "bus_slow", "feed_lost", "gap_storm",
        "gateway_partitioned", "risk_partitioned", "venue_fix_cut", "venue_sessions_cut",
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_the_desks_of_an_experiment_can_be_configured(name: str, tmp_path: Path) -> None:
    ours = about(load(name))
    for changes in ({}, ours["off"].get("desk", {})):
        path = tmp_path / "desk.toml"
        config = laid_over(ours.get("desk", {}), changes)
        path.write_text(toml(config), encoding="utf-8")
        tables = load_tables(str(path))
        check_tables(tables)
        assert tables == config


@pytest.mark.parametrize(
    ("line", "lost"),
    [
        ('message_dropped_total{kind="TicksV1",reason="inbox_full"} 900.0', 0.0),
        ('message_dropped_total{kind="FillV1",reason="slow_loop"} 1.0', 1.0),
        ('message_dropped_total{kind="unknown",reason="slow_loop"} 2.0', 2.0),
        ("message_critical_dropped_total 3.0", 3.0),
        ("message_critical_dropped_total 0.0", 0.0),
    ],
)
def test_only_what_is_conflated_may_be_shed(
    line: str, lost: float, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = SimpleNamespace(http_ports={"risk": 1})
    monkeypatch.setattr(probes.runs, "current", lambda: tmp_path)
    monkeypatch.setattr(probes.runs, "read_runtime", lambda _directory: run)
    monkeypatch.setattr(probes.asking, "metrics", lambda _agent, _names: line)
    assert probes.lost_for_good() == lost
