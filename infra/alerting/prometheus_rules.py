"""Prometheus' rule files, made of the declarations (`make docs`); a contract test compares them.

Written by hand they would be a second list of the same alerts. The text is YAML that needs no
library: names, numbers and JSON strings.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from infra.alerting import burn
from infra.alerting.conditions import promql
from infra.alerting.declared import ROOT, SAFETY, Alert

FOLDER = ROOT / "infra" / "prometheus"
HEAD = "# Written by `make docs` from infra/alerting; do not edit.\ngroups:\n"
RECORDED = {
    "desk:quote_two_sided:count": 'sum by (underlying) (quote_live_count{sides="two"})',
    "desk:quote_quotable:count": "sum by (underlying) (quote_quotable_count)",
    "desk:quote_two_sided:ratio": "desk:quote_two_sided:count / desk:quote_quotable:count",
    "service_kind:message_handled:rate1m": (
        "sum by (service, kind) (rate(message_handled_total[1m]))"
    ),
    "service_kind:handler_duration_seconds:p99_1m": (
        "histogram_quantile(0.99, sum by (service, kind, le)"
        " (rate(handler_duration_seconds_bucket[1m])))"
    ),
    "desk:tick_to_quote_seconds:p50_1m": (
        "histogram_quantile(0.5, sum by (le) (rate(tick_to_quote_seconds_bucket[1m])))"
    ),
    "desk:tick_to_quote_seconds:p99_1m": (
        "histogram_quantile(0.99, sum by (le) (rate(tick_to_quote_seconds_bucket[1m])))"
    ),
    "desk:markout_usd_per_fill:ratio": (
        "sum by (underlying, horizon) (markout_usd)"
        " / sum by (underlying, horizon) (markout_fill_total)"
    ),
}
# What only somebody outside the desk can see: its watcher is gone; Prometheus itself works.
OUTSIDE = (
    (
        "WatcherSilent",
        "page",
        "platform",
        "the desk's own watcher does not answer: nobody looks every second",
        'up{service="alerting"} < 1',
        5,
    ),
    (
        "Watchdog",
        "info",
        "platform",
        "always active: where it is missing, Prometheus or Alertmanager does not work",
        "vector(1)",
        0,
    ),
)


def files() -> dict[Path, str]:
    """Returns the rule files and what must stand in them."""
    return {
        FOLDER / "recording.rules.yml": HEAD + "".join(recording()),
        FOLDER / "safety.rules.yml": HEAD + "".join(safety()),
        FOLDER / "slo.rules.yml": HEAD + "".join(burning()),
    }


def write() -> None:
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def recording() -> Iterator[str]:
    yield group("desk", 5)
    for name, expression in RECORDED.items():
        yield record(name, expression)


def safety() -> Iterator[str]:
    yield group("safety", 1)
    for alert in SAFETY:
        yield rule(
            alert.name, alert.severity, alert.owner, templated(alert), promql(alert.when),
            alert.runbook, alert.for_s, alert.keep_s,
        )  # fmt: skip
    yield group("outside", 1)
    for name, severity, owner, summary, expression, for_s in OUTSIDE:
        yield rule(
            name, severity, owner, summary, expression, f"infra/runbooks/{name}.md", for_s, 0
        )


def burning() -> Iterator[str]:
    yield group("slo", 30)
    for slo in burn.SLOS:
        for window in burn.WINDOWS:
            yield record(f"{slo.record}_{window}", slo.errors.format(window=window))
    for slo in burn.SLOS:
        for one in burn.BURNS:
            summary = f"{slo.says}: the error budget burns {one.rate:g} times too fast"
            yield rule(
                burn.alert_name(slo, one), one.severity, slo.owner, summary,
                burn.expression(slo, one), burn.runbook(slo), one.for_s, 0,
            )  # fmt: skip


def group(name: str, interval_s: int) -> str:
    return f"  - name: {name}\n    interval: {interval_s}s\n    rules:\n"


def record(name: str, expression: str) -> str:
    return f"      - record: {name}\n        expr: {json.dumps(expression)}\n"


def rule(
    name: str,
    severity: str,
    owner: str,
    summary: str,
    expression: str,
    runbook: str,
    for_s: int,
    keep_s: int,
) -> str:
    lines = [
        f"      - alert: {name}",
        f"        expr: {json.dumps(expression)}",
        f"        for: {for_s}s",
        *([f"        keep_firing_for: {keep_s}s"] if keep_s else []),
        f"        labels: {{severity: {severity}, owner: {owner}, runbook: {json.dumps(runbook)}}}",
        f"        annotations: {{summary: {json.dumps(summary)}}}",
    ]
    return "\n".join(lines) + "\n"


def templated(alert: Alert) -> str:
    """Returns a summary as Prometheus fills it in."""
    text = alert.summary.replace("{value}", '{{ $value | printf "%.4g" }}')
    return re.sub(r"(?<!{){(\w+)}(?!})", r"{{ $labels.\1 }}", text)
