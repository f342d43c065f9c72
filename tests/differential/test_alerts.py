"""Every alert on cases written by hand, by Prometheus' own judge and by the desk's watcher."""

import json
import re
import shutil
import subprocess

import pytest

from infra.alerting import burn
from infra.alerting.conditions import Sample
from infra.alerting.core import Alerting
from infra.alerting.declared import SAFETY
from infra.alerting.prometheus_rules import FOLDER, OUTSIDE
from infra.alerting.words import Scraped
from tests.differential.alert_cases import CASES

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
RULES = [str(path) for path in sorted(FOLDER.glob("*.rules.yml"))]
HOURS = 8
OUTSIDE_CASES = {
    "WatcherSilent": ({'up{service="alerting"}': "1x10 0x20"}, {'up{service="alerting"}': "1x30"}),
    "Watchdog": ({}, None),  # it always is
}
# Shares of what goes wrong, and the alerts that each must raise: of 14.4, 6 and 1 times the pace.
ALL, TWO, ONE = "BurnsFast Burns BurnsSlowly", "Burns BurnsSlowly", "BurnsSlowly"
LEVELS = {
    "QuotingUptime": ((1.0, ALL), (0.4, TWO), (0.075, ONE), (0.02, "")),
    "TickToQuote": ((0.2, ALL), (0.1, TWO), (0.02, ONE), (0.005, "")),
    "Delivery": ((0.02, ALL), (0.01, TWO), (0.002, ONE), (0.0005, "")),
}


def points(notation):
    """Returns the values of promtool's notation; None where there is none."""
    found = []
    for token in notation.split():
        match = re.fullmatch(r"(_|-?[\d.]+)(?:\+([\d.]+))?(?:x(\d+))?", token)
        first, step, times = match.groups()
        count = int(times or 0) + (1 if first != "_" else (0 if times else 1))
        value = None if first == "_" else float(first)
        found += [
            value if value is None else value + float(step or 0) * place for place in range(count)
        ]
    return found


def parsed(series):
    name, _, labels = series.partition("{")
    return name, tuple(sorted(re.findall(r'(\w+)="([^"]*)"', labels)))


def watched(series, at_s):
    """Returns the names that the watcher holds active after so many looks."""
    core = Alerting()
    columns = [(*parsed(one), points(values)) for one, values in series.items()]
    for second in range(at_s + 1):
        samples = [
            Sample(name, labels, values[second])
            for name, labels, values in columns
            if second < len(values) and values[second] is not None
        ]
        list(core.on_scraped(Scraped(second * 10**9, float(second), tuple(samples))))
    return [one.name for one in core.active()]


def promtool(tmp_path, tests, interval, files=RULES):
    """Has promtool judge; fails with what it says."""
    path = tmp_path / "tests.yml"
    document = {"rule_files": files, "evaluation_interval": interval, "tests": tests}
    path.write_text(json.dumps(document), encoding="utf-8")
    done = subprocess.run(
        [PROMTOOL, "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def one_test(name, series, eval_time, counts, interval="1s"):
    """A test of promtool's: how many alerts of a name are firing at a time."""
    return {
        "name": name,
        "interval": interval,
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})',
                "eval_time": eval_time,
                "exp_samples": [{"labels": "{}", "value": count}] if count else [],
            }
            for alert, count in counts.items()
        ],
    }


def test_every_alert_has_a_case():
    assert {case.alert for case in CASES} == {alert.name for alert in SAFETY}
    assert set(OUTSIDE_CASES) == {row[0] for row in OUTSIDE}
    assert set(LEVELS) == {slo.name for slo in burn.SLOS}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_the_watcher_raises_what_it_must_and_nothing_nearby(case):
    assert watched(case.fires, case.at_s).count(case.alert) == 1
    assert case.alert not in watched(case.quiet, case.at_s)


@needs_promtool
def test_prometheus_raises_what_it_must_and_nothing_nearby(tmp_path):
    tests = []
    for case in CASES:
        at = f"{case.at_s}s"
        tests.append(one_test(f"{case.alert} fires", case.fires, at, {case.alert: 1}))
        tests.append(one_test(f"{case.alert} is quiet", case.quiet, at, {case.alert: 0}))
    for alert, (fires, quiet) in OUTSIDE_CASES.items():
        tests.append(one_test(f"{alert} fires", fires, "20s", {alert: 1}))
        if quiet is not None:
            tests.append(one_test(f"{alert} is quiet", quiet, "20s", {alert: 0}))
    promtool(tmp_path, tests, "1s", [path for path in RULES if "safety" in path])


def burning(slo, share):
    """Returns series, a point in two minutes, in which so large a share goes wrong."""
    steps = HOURS * 30
    if slo == "QuotingUptime":
        quoted = {"underlying": "BTC", "service": "market_making"}
        two = "quote_live_count" + json_labels(sides="two", **quoted)
        quotable = "quote_quotable_count" + json_labels(**quoted)
        return {two: f"{400 * (1 - share):g}x{steps}", quotable: f"400x{steps}"}
    if slo == "TickToQuote":
        name, service = "tick_to_quote_seconds", {"service": "market_making"}
        return {
            f"{name}_bucket" + json_labels(le="0.001", **service): f"0+{1000 * (1 - share):g}"
            f"x{steps}",
            f"{name}_count" + json_labels(**service): f"0+1000x{steps}",
        }
    dropped = "message_dropped_total" + json_labels(service="risk", reason="too_old")
    handled = "message_handled_total" + json_labels(service="risk", kind="TicksV1")
    return {dropped: f"0+{10_000 * share:g}x{steps}", handled: f"0+10000x{steps}"}


def json_labels(**labels):
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


@needs_promtool
def test_error_budgets_that_burn_wake_people_by_how_fast(tmp_path):
    tests = []
    for slo, levels in LEVELS.items():
        for share, raised in levels:
            counts = {f"{slo}{one.suffix}": int(one.suffix in raised.split()) for one in burn.BURNS}
            name = f"{slo} at {share}"
            tests.append(one_test(name, burning(slo, share), f"{HOURS * 60 - 5}m", counts, "2m"))
    promtool(tmp_path, tests, "2m", [path for path in RULES if "safety" not in path])


@needs_promtool
def test_the_rules_and_the_configuration_are_what_prometheus_takes():
    for argv in (["rules", *RULES], ["config", "--syntax-only", str(FOLDER / "prometheus.yml")]):
        done = subprocess.run(
            [PROMTOOL, "check", *argv], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
