"""Runs the experiments of chaos/experiments and prints what came of each.

`python -m chaos.run [--only NAME,...] [--quick] [--off] [--containers] [--json FILE]`. Experiments
that need the same desk share one. With --off each also runs without the protection that it is
about, on a desk of its own, and has to deviate there. With --containers it is docker-compose that
runs the desk.
"""

import argparse
import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaoslib.experiment import run_experiment
from chaoslib.hypothesis import within_tolerance
from chaoslib.types import Strategy
from rich.console import Console
from rich.table import Table

from chaos import actions, containers, probes
from chaos.faults import HOME_VARIABLE
from chaos.weaken import NO_RESTART, NO_SPARE
from infra.trial_containers import why_not

EXPERIMENTS = Path(__file__).with_name("experiments")
QUOTING_S_MAX = 40.0
SETTLE_S = 1.0
END_S_MAX = 60.0
NOT_RUN = "-"
# Runs a desk with some configuration, without some protection, with wires that can fail or not.
Desk = Callable[[dict[str, Any], str, bool], contextlib.AbstractContextManager[None]]


@dataclass
class Row:
    """One experiment's outcome; times in seconds, `NEVER_S` where it never came."""

    fault: str
    hypothesis: str
    alert: str
    detected_s: float | None = None
    recovered_s: float | None = None
    violations: int = 0
    result: str = NOT_RUN
    off_leg: str = NOT_RUN


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def named(only: str, tags: set[str]) -> list[str]:
    """Returns the names of the experiments that are asked for, or of those with all the tags."""
    if only:
        return only.split(",")
    names = sorted(path.stem for path in EXPERIMENTS.glob("*.json"))
    return [one for one in names if tags <= set(load(EXPERIMENTS / f"{one}.json")["tags"])]


def about(experiment: dict[str, Any]) -> dict[str, Any]:
    """Returns what an experiment says of itself beyond the toolkit's own fields."""
    (ours,) = (one for one in experiment["extensions"] if one["name"] == "hedgerow")
    return dict(ours)


def targets(experiment: dict[str, Any]) -> set[str]:
    """Returns the services that an experiment does something to by name."""
    arguments = (step["provider"].get("arguments", {}) for step in experiment["method"])
    return {one["service"] for one in arguments if "service" in one}


def spoils_wires(experiment: dict[str, Any]) -> bool:
    """Says whether an experiment needs proxies: all others are spared them, since what a desk
    bears would be what the proxies, which are one process in Python, bear."""
    return any("wires" in step["provider"].get("arguments", {}) for step in experiment["method"])


@contextlib.contextmanager
def desk(config: dict[str, Any], weakened: str, is_wired: bool) -> Iterator[None]:
    """Runs a desk, `is_wired`: with wires that can fail, until it is left; nothing of it stays."""
    with tempfile.TemporaryDirectory(prefix="hedgerow-chaos-") as folder:
        home = Path(folder)
        os.environ[HOME_VARIABLE] = folder
        config_path = home / "desk.toml"
        config_path.write_text(toml(config), encoding="utf-8")
        argv = [sys.executable, "-m", "chaos.desk", "--config", str(config_path)]
        argv += ["--report", str(home / "report.json"), "--weaken", weakened]
        argv += ["--wired"] if is_wired else []
        with (home / "up.log").open("wb") as log:
            process = subprocess.Popen(argv, stdout=log, stderr=log)
        try:
            probes.wait_for_quotes(
                lambda: process.poll() is not None,
                lambda: (home / "up.log").read_text(encoding="utf-8", errors="replace")[-2000:],
                QUOTING_S_MAX,
            )
            yield
        finally:
            actions.mend()
            process.send_signal(signal.SIGINT)
            try:
                process.wait(END_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def toml(config: dict[str, Any], above: str = "") -> str:
    """Returns nested tables as TOML."""
    lines = [f"{key} = {json.dumps(one)}" for key, one in config.items() if not is_table(one)]
    head = [f"[{above}]"] if above and lines else []
    tables = [
        toml(one, f"{above}.{key}" if above else key)
        for key, one in config.items()
        if is_table(one)
    ]
    return "\n".join([*head, *lines, *tables]) + "\n"


def is_table(value: Any) -> bool:
    return isinstance(value, dict)


def laid_over(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Returns nested tables with changes."""
    out = dict(config)
    for key, value in changes.items():
        out[key] = laid_over(out.get(key, {}), value) if is_table(value) else value
    return out


def run_one(experiment: dict[str, Any], name: str) -> Row:
    """Runs an experiment on the desk that is up."""
    ours = about(experiment)
    row = Row(name, experiment["title"], ", ".join(ours["alerts"]))
    probes.wait_until_over(ours["alerts"][0], targets(experiment))
    probes.begin()
    journal = run_experiment(experiment, strategy=Strategy.DEFAULT)
    for step in journal.get("run", ()):
        activity = step["activity"]["name"]
        if activity.startswith("detected"):
            row.detected_s = step.get("output")
        elif activity.startswith("recovered"):
            row.recovered_s = step.get("output")
    row.violations = probes.violations()
    wrong = why(journal)
    is_whole = len(journal.get("run", ())) == len(experiment["method"])
    is_held = is_whole and not wrong and journal["status"] == "completed"
    row.result = "held" if is_held else f"deviated: {wrong or journal['status']}"
    if row.violations:
        row.result += f" {probes.observed()['broken']}"
    return row


def why(journal: dict[str, Any]) -> str:
    """Returns which step did not come out as it should, or the empty string.

    The toolkit itself holds only the steady state to its tolerances, not the method's probes.
    """
    states = journal.get("steady_states") or {}
    steps = [
        *(states.get("before") or {}).get("probes", ()),
        *journal.get("run", ()),
        *(states.get("after") or {}).get("probes", ()),
    ]
    for step in steps:
        activity, said = step["activity"], step.get("output")
        if step.get("status") != "succeeded":
            error = (step.get("exception") or ["?"])[-1]
            return f"{activity['name']}: {str(error).strip()}"
        if "tolerance" in activity and not within_tolerance(
            activity["tolerance"], said, configuration={}, secrets={}
        ):
            return f"{activity['name']}: {said}"
    return ""


def run_all(names: list[str], run_desk: Desk, *, with_off: bool) -> list[Row]:
    """Runs experiments, those that need the same desk on one."""
    found = {name: load(EXPERIMENTS / f"{name}.json") for name in names}
    rows: dict[str, Row] = {}
    groups: dict[tuple[str, bool], list[str]] = {}
    for name, experiment in found.items():
        need = json.dumps(about(experiment).get("desk", {})), spoils_wires(experiment)
        groups.setdefault(need, []).append(name)
    for (configuration, is_wired), members in groups.items():
        with run_desk(json.loads(configuration), "", is_wired):
            for name in members:
                rows[name] = run_one(found[name], name)
                time.sleep(SETTLE_S)
    if with_off:
        for name, experiment in found.items():
            rows[name].off_leg = off_leg(experiment, name, run_desk)
    return [rows[name] for name in names]


def off_leg(experiment: dict[str, Any], name: str, run_desk: Desk) -> str:
    """Runs an experiment without its protection; says what went wrong, as it has to. In containers
    only what the engine protects can be switched off."""
    ours = about(experiment)
    off = ours["off"]
    if run_desk is containers.desk and off.get("weaken") not in {NO_RESTART, NO_SPARE}:
        return NOT_RUN
    config = laid_over(ours.get("desk", {}), off.get("desk", {}))
    with run_desk(config, off.get("weaken", ""), spoils_wires(experiment)):
        row = run_one(experiment, name)
    return row.result if row.result != "held" else "HELD WITHOUT ITS PROTECTION"


def show(rows: list[Row], title: str) -> None:
    table = Table(title=title, title_justify="left")
    for column in Row.__dataclass_fields__:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(NOT_RUN if value is None else str(value) for value in asdict(row).values()))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def is_well(row: Row) -> bool:
    return row.result == "held" and row.violations == 0 and not row.off_leg.startswith("HELD")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--only", default="", metavar="NAME,...")
    parser.add_argument("--quick", action="store_true", help="those that CI runs")
    parser.add_argument("--off", action="store_true", help="and each without its protection")
    parser.add_argument("--containers", action="store_true", help="on the desk of docker-compose")
    parser.add_argument("--json", metavar="FILE")
    arguments = parser.parse_args()
    logging.getLogger("logzero").setLevel(logging.ERROR)
    where = "containers" if arguments.containers else "process"
    if arguments.containers and (reason := why_not()):
        parser.error(reason)
    names = named(arguments.only, {where, "ci"} if arguments.quick else {where})
    run_desk = containers.desk if arguments.containers else desk
    rows = run_all(names, run_desk, with_off=arguments.off)
    show(rows, "Chaos, in containers" if arguments.containers else "Chaos")
    if arguments.json:
        document = json.dumps([asdict(row) for row in rows], indent=2)
        Path(arguments.json).write_text(document + "\n", encoding="utf-8")
    return 0 if all(is_well(row) for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
