"""Every alert can be acted on: it has an owner, a severity, a runbook and cases."""

import re

import pytest

from infra import dashboards
from infra.alerting import burn, prometheus_rules
from infra.alerting.declared import RANKS, ROOT, SAFETY, text_of
from infra.alerting.prometheus_rules import OUTSIDE
from infra.live_doctor import FACTS, TREE
from shared.metric_names import ALL

RUNBOOKS = ROOT / "infra" / "runbooks"
SLO_RUNBOOKS = {f"{slo.name}Burns" for slo in burn.SLOS}
LINES_MAX = 20
EACH = pytest.mark.parametrize("alert", SAFETY, ids=lambda alert: alert.name)
QUESTIONS = [
    (name, panel) for name, (_title, panels) in dashboards.DASHBOARDS.items() for panel in panels
]


@EACH
def test_an_alert_says_whom_it_wakes_and_what_to_do(alert):
    assert re.fullmatch(r"([A-Z][a-z]+)+", alert.name)
    assert alert.severity in ("page", "ticket", "info")
    assert alert.owner in ("trading", "risk", "platform")
    assert (ROOT / alert.runbook).exists()
    labels = dict.fromkeys(alert.when[0].by, "x")
    assert "{" not in text_of(alert, labels, 1.0)


@EACH
def test_what_must_be_known_in_five_seconds_does_not_wait_longer(alert):
    """A look a second, an answer that may take 1.2 s twice, and the alert's own time."""
    if alert.severity == "page" and alert.name != "QuotingStopped":  # costs no money
        assert alert.for_s <= 2


def test_pages_stand_before_tickets_and_names_are_unique():
    assert len(RANKS) == len(SAFETY)
    severities = [alert.severity for alert in SAFETY]
    assert severities == sorted(severities)


def test_there_is_a_runbook_for_each_alert_and_no_other():
    names = {path.stem for path in RUNBOOKS.glob("*.md")}
    others = {row[0] for row in OUTSIDE} | SLO_RUNBOOKS
    assert names == {alert.name for alert in SAFETY} | others


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_a_runbook_is_short_and_begins_with_a_command(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.stem}\n")
    assert len(text.splitlines()) <= LINES_MAX
    assert len(re.findall(r"^```sh first\nhedgerow .+\n```$", text, re.MULTILINE)) == 1
    assert "**Over when**" in text
    for named in re.findall(r"hedgerow metrics \w+((?: [a-z_]+)+)", text):
        assert set(named.split()) <= set(ALL) | {"and", "for"}, named


def test_prometheus_rules_are_what_the_declarations_make():
    for path, text in prometheus_rules.files().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make docs`"


def test_dashboards_are_what_the_declarations_make():
    for path, text in dashboards.files().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make docs`"
    assert set(dashboards.FOLDER.glob("*.json")) == set(dashboards.files())


@pytest.mark.parametrize(
    ("name", "panel"), QUESTIONS, ids=lambda one: getattr(one, "question", one)
)
def test_a_panel_asks_a_question_of_metrics_that_exist(name, panel):
    assert panel.question.endswith("?")
    assert panel.hint.endswith(".")
    for query in panel.queries.values():
        words = set(re.findall(r"(?<![\w:])[a-z]+(?:_[a-z]+)+(?![\w:(])", query))
        known = {*ALL, *(f"{one}{end}" for one in ALL for end in ("_total", "_bucket", "_count"))}
        functions = {"histogram_quantile", "sort_desc"}
        assert words - functions <= known, name


def test_every_alert_stands_on_one_branch_of_the_walk():
    branches = [name for alerts in TREE.values() for name in alerts]
    assert sorted(branches) == sorted(alert.name for alert in SAFETY)
    assert {name for names in FACTS.values() for name in names} <= set(ALL)
