"""Every metric is declared once, told by those who are named, and by nobody else."""

import ast
import re
from pathlib import Path

import pytest

from infra.alerting.conditions import OF_EVERY_SCRAPE
from infra.alerting.declared import SAFETY
from infra.topology import SERVICES
from shared.metric_names import ALL, COUNTERS, GAUGES, HISTOGRAMS, JUDGED, LABELS, READINGS

ROOT = Path(__file__).parent.parent.parent
UNITS = ("_seconds", "_bytes", "_messages", "_ratio", "_count", "_usd", "_coin", "_vol")
STATES = ("_state", "_up", "_ready", "_active", "_broken", "_blocked", "_refused", "_fallback")
SHARED = ("shared",)
EACH = pytest.mark.parametrize("metric", ALL.values(), ids=lambda metric: metric.name)


@EACH
def test_a_metric_is_named_by_the_rules_of_the_house(metric):
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", metric.name)
    assert not metric.name.endswith("_total")
    assert metric.help.endswith(".")
    if metric.kind == "counter":
        assert not metric.name.endswith(UNITS), "a counter counts events"
    else:
        assert metric.name.endswith(UNITS if metric.kind == "histogram" else (*UNITS, *STATES))


@EACH
def test_labels_are_bounded_and_say_by_what(metric):
    assert set(metric.labels) <= set(LABELS)
    assert len(set(metric.labels)) == len(metric.labels)


@EACH
def test_who_tells_a_metric_is_a_service(metric):
    assert set(metric.of) <= {*SERVICES, "alerting"}
    assert bool(metric.of) == (metric.name in READINGS), "the shell's, or somebody's"


def test_no_name_is_declared_twice():
    declared = (*COUNTERS, *GAUGES, *HISTOGRAMS, *READINGS.values())
    assert len(ALL) == len(declared)
    assert len({metric.help for metric in declared}) == len(declared)


def test_every_label_is_used():
    assert set(LABELS) == {label for metric in ALL.values() for label in metric.labels}


def readings_in(folder):
    """Names of the readings that the code of a folder makes."""
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            if is_call and node.func.id == "Reading" and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value


def test_everybody_tells_what_is_declared_of_them_and_nothing_else():
    shared = set(readings_in("shared"))
    assert shared <= set(READINGS)
    folders = {name: f"services/{name}" for name in SERVICES} | {"alerting": "infra/alerting"}
    for service, folder in folders.items():
        of_it = {name for name, metric in READINGS.items() if service in metric.of}
        told = set(readings_in(folder))
        assert told <= of_it, f"{service} tells {told - of_it}"
        assert of_it - shared <= told, f"{service} never tells {of_it - shared - told}"
    assert all(metric.of for metric in READINGS.values())


def test_the_shell_sets_what_it_declares():
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "shared").glob("*.py"))
    text = text.replace((ROOT / "shared/metric_names.py").read_text(encoding="utf-8"), "")
    for metric in (*COUNTERS, *GAUGES, *HISTOGRAMS):
        assert f'"{metric.name}"' in text, metric.name


def test_agents_tell_the_watcher_what_alerts_are_raised_on_and_no_more():
    asked = {condition.metric for alert in SAFETY for condition in alert.when}
    of_the_watcher = {name for name in asked & set(READINGS) if READINGS[name].of == ("alerting",)}
    assert asked - of_the_watcher - {"up"} == JUDGED
    assert all(ALL[name].kind != "histogram" for name in JUDGED & set(ALL))
    assert set(ALL) | OF_EVERY_SCRAPE >= JUDGED
