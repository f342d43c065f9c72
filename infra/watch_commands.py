"""What `hedgerow` offers to whoever watches a running desk: alerts, metrics, the live doctor."""

import argparse
import json
from typing import TypeAlias

from rich.console import Console

from infra import live_doctor
from infra.alerting import asking

EXIT_OK, EXIT_FAILED = 0, 1

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001


def add(commands: Commands) -> None:
    alerts = commands.add_parser(
        "alerts",
        help="what is wrong with the running desk, worst first",
        description=(
            "What the desk's watcher holds: active alerts with their runbook, and those that have "
            "ended. 0: none is active; 1: some are; 3: no desk runs, or its watcher is silent."
        ),
    )
    alerts.add_argument("--json", action="store_true")
    alerts.set_defaults(command=run_alerts)
    metrics = commands.add_parser("metrics", help="what an agent of the running desk measures now")
    metrics.add_argument("agent", metavar="AGENT", help="gateway, risk, alerting, ...")
    metrics.add_argument("name", nargs="*", metavar="METRIC", help="default: all")
    metrics.set_defaults(command=run_metrics)


def run_alerts(arguments: argparse.Namespace) -> int:
    report = asking.ask()
    if arguments.json:
        print(json.dumps(report, indent=2))
    else:
        asking.show(Console(), report)
    return EXIT_FAILED if report["active"] else EXIT_OK


def run_metrics(arguments: argparse.Namespace) -> int:
    print(asking.metrics(arguments.agent, arguments.name))
    return EXIT_OK


def run_live_doctor(*, as_json: bool) -> int:
    branches = live_doctor.examine()
    if as_json:
        print(json.dumps(live_doctor.as_json(branches), indent=2))
    else:
        live_doctor.show(Console(), branches)
    return EXIT_FAILED if any(branch.wrong for branch in branches) else EXIT_OK
