"""The Docker engine of this machine, and the desk that docker-compose runs on it."""

import time
from collections.abc import Callable

import pytest

from infra.trial_containers import docker, why_not

ALERTMANAGER = "prom/alertmanager"


def require() -> None:
    if reason := why_not():
        pytest.skip(reason)


def alertmanager_image() -> str:
    """Returns a local image of Alertmanager, or a stand-in; skips where there is none."""
    found = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", ALERTMANAGER).split()
    if not found:
        pytest.skip(f"no image of {ALERTMANAGER}")
    return found[0]


def until(condition: Callable[[], object], deadline_s: float, what: str) -> float:
    """Waits for a condition; returns how long it took."""
    started = time.monotonic()
    while not condition():
        taken = time.monotonic() - started
        assert taken < deadline_s, f"no {what} within {deadline_s} s"
        time.sleep(0.2)
    return time.monotonic() - started
