"""One running desk, watched: runbooks, dashboards, and a fault that must wake somebody."""

import json
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import command, dashboards
from infra.alerting.declared import ROOT, SAFETY
from infra.alerting.prometheus_rules import FOLDER
from infra.trial_desk import Desk, environment, running_desk
from tests.integration import receivers
from tests.integration.receivers import Server

DETECT_S_MAX = 5.0
RUNBOOKS = sorted((ROOT / "infra" / "runbooks").glob("*.md"))
SETTLED_S = 15  # of quoting, before a command is asked what it says
WHOLE_S_MAX = 40.0


class Watched:
    """A desk, who is told of its alerts, and Prometheus where it is installed."""

    def __init__(self, desk: Desk, heard: list[dict[str, Any]], manager: Server | None) -> None:
        self.desk, self.heard, self.manager = desk, heard, manager

    def alerts(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.desk.command("alerts", "--json").stdout)
        return report

    def active(self) -> set[str]:
        return {one["name"] for one in self.alerts()["active"]}


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    home = tmp_path_factory.mktemp("watched")
    path = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    manager = receivers.alertmanager(path, home) if path else None
    with receivers.webhook() as (url, heard):
        tables = [f'[alerting]\nwebhook_url = "{url}"']
        if manager is not None:
            tables.append(f'alertmanager_url = "{manager.url}"')
        # Nobody takes the spans: what is asked here is whether histograms point to their traces.
        tables.append('[desk]\notlp_endpoint = "http://127.0.0.1:9"\ntrace_ratio = 0.05')
        (home / "desk.toml").write_text("\n".join(tables), encoding="utf-8")
        config = str(home / "desk.toml")
        try:
            with running_desk(home, "--seed", "11", "--config", config) as desk:
                desk.until(
                    lambda: all(one["quoted_count"] for one in desk.status()["quotes"].values()),
                    60,
                    "quotes",
                )
                time.sleep(SETTLED_S)
                yield Watched(desk, heard, manager)
        finally:
            if manager is not None:
                manager.end()


def first_command(path: Path) -> str:
    found = re.search(r"^```sh first\n(.+)\n```$", path.read_text("utf-8"), flags=re.MULTILINE)
    assert found, f"{path.name} has no first command"
    return found[1]


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_a_runbooks_first_command_works(path, watched, monkeypatch, capsys):
    monkeypatch.setenv("HEDGEROW_HOME", str(watched.desk.home))
    argv = shlex.split(first_command(path))
    assert argv[0] == "hedgerow"
    assert command.main(argv[1:]) in (command.EXIT_OK, command.EXIT_FAILED)
    said = capsys.readouterr()
    assert said.out.strip()
    assert not said.err
    if argv[1] == "metrics":
        for name in argv[3:]:
            assert re.search(rf"^{name}(_total|_bucket)?[ {{]", said.out, re.MULTILINE), name


def test_a_first_command_works_from_a_shell(watched):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    shell = {**environment(watched.desk.home), "PATH": path}
    done = subprocess.run(
        ["sh", "-c", first_command(RUNBOOKS[0])], env=shell, capture_output=True, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    assert done.stdout


def walk(watched) -> dict[str, dict[str, Any]]:
    done = watched.desk.command("doctor", "--live", "--json")
    return {one["check"]: one for one in json.loads(done.stdout)}


def test_the_walk_finds_a_running_desk_whole(watched):
    """Within the time that protection, once tripped, may keep the quotes of an underlying away."""
    deadline = time.monotonic() + WHOLE_S_MAX
    found = walk(watched)
    while not found["quotes"]["is_ok"] and time.monotonic() < deadline:
        time.sleep(1)
        found = walk(watched)
    assert "watcher" not in found
    assert found["agents"]["is_ok"], found["agents"]
    assert found["quotes"]["is_ok"], found["quotes"]
    for one in found.values():
        assert one["is_ok"] or one["wrong"]
        assert one["check"] in ("alerts", "breakers") or one["found"] != "nothing told", one


def test_no_panel_is_empty(watched, tmp_path):
    path = receivers.program("prometheus")
    targets = watched.desk.home / "current" / "targets.json"
    server = receivers.prometheus(path, tmp_path, targets, FOLDER)
    try:
        waiting = list(dashboards.queries())
        deadline = time.monotonic() + 60
        while waiting and time.monotonic() < deadline:
            time.sleep(2)
            waiting = [one for one in waiting if not values(server, one[2])]
        assert not waiting, waiting
        now_s = time.time()
        told = server.get(
            "/api/v1/query_exemplars",
            query="tick_to_quote_seconds_bucket",
            start=str(now_s - 120),
            end=str(now_s),
        )
        exemplars = [one for series in told["data"] for one in series["exemplars"]]
        assert exemplars
        assert all(re.fullmatch("[0-9a-f]{32}", one["labels"]["trace_id"]) for one in exemplars)
        firing = server.get("/api/v1/rules", type="alert")["data"]["groups"]
        broken = [rule for group in firing for rule in group["rules"] if rule["health"] == "err"]
        assert not broken
    finally:
        server.end()


def values(server: Server, query: str) -> list[float]:
    """Returns what a query has to show; a share of nothing (NaN) is an answer, an error is not."""
    answer = server.get("/api/v1/query", query=query)
    assert answer["status"] == "success", query
    found = answer["data"]["result"]
    numbers = [float(one["value"][1]) for one in found if "value" in one]
    assert all(not math.isinf(number) for number in numbers), query
    return numbers


def test_a_paused_agent_wakes_somebody_within_five_seconds(watched):
    desk = watched.desk
    pid = desk.pid("hedging")
    paused_s = time.time()
    os.kill(pid, signal.SIGSTOP)
    try:
        desk.until(lambda: "AgentSilent" in watched.active(), 15, "AgentSilent")
    finally:
        os.kill(pid, signal.SIGCONT)
    [found] = [
        one
        for one in watched.alerts()["active"]
        if one["name"] == "AgentSilent" and one["labels"] == {"service": "hedging"}
    ]
    assert found["detected_unix_s"] - paused_s <= DETECT_S_MAX
    assert found["severity"] == "page"
    assert (ROOT / found["runbook"]).exists()
    desk.until(lambda: "AgentSilent" in told(watched.heard), 10, "a page at the webhook")
    manager = watched.manager
    if manager is not None:
        desk.until(lambda: "AgentSilent" in known(manager), 10, "an alert at Alertmanager")
    desk.until(lambda: "AgentSilent" not in watched.active(), 30, "its end")
    assert "AgentSilent" in {one["name"] for one in watched.alerts()["ended"]}


def told(heard: list[dict[str, Any]]) -> set[str]:
    return {one["name"] for page in heard for one in page["raised"]}


def known(manager: Server) -> set[str]:
    return {one["labels"]["alertname"] for one in manager.get("/api/v2/alerts")}


def test_every_safety_alert_has_a_runbook():
    names = {path.stem for path in RUNBOOKS}
    assert {alert.name for alert in SAFETY} <= names
