"""The Docker engine of this machine, and the desk that docker-compose runs on it."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from testcontainers.compose import DockerCompose

from infra import deployment_keys
from infra.deployment import OTHER_IMAGES, ROOT, ROWS
from infra.images import tag_of
from infra.venue_account import VenueAccount

IMAGES = [*(row.service for row in ROWS), *OTHER_IMAGES]
RUNTIME_PATH = ROOT / "infra" / "compose" / "runtime.json"


def docker(*arguments: str) -> str:
    """Returns what docker says. Raises CalledProcessError if it fails."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def why_not() -> str:
    """Returns why containers cannot be tested here; empty where they can."""
    if shutil.which("docker") is None:
        return "docker is not installed"
    asked = subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False)
    if asked.returncode != 0:
        return "no Docker engine answers"
    if os.geteuid() != 0:
        return "the containers' secrets are files of user 10001, which only root can make"
    present = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    missing = [name for name in IMAGES if tag_of(name) not in present]
    return f"no image of {', '.join(missing)}: make images" if missing else ""


def require() -> None:
    if reason := why_not():
        pytest.skip(reason)


def until(condition: Callable[[], object], deadline_s: float, what: str) -> float:
    """Waits for a condition; returns how long it took."""
    started = time.monotonic()
    while not condition():
        taken = time.monotonic() - started
        assert taken < deadline_s, f"no {what} within {deadline_s} s"
        time.sleep(0.2)
    return time.monotonic() - started


class Compose(DockerCompose):
    """testcontainers knows compose as a plugin of docker; it may also be a program of its own."""

    @cached_property
    def compose_command_property(self) -> list[str]:
        command = super().compose_command_property
        return ["docker-compose", *command[2:]] if shutil.which("docker-compose") else command


class Stack:
    """One desk of docker-compose.yml, under a project name and on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.project = f"hedgerow-test-{secrets.token_hex(3)}"
        self._secrets = folder
        self.started_s = 0.0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        deployment_keys.write(folder, is_sharded=False)
        # testcontainers hands its own environment to the command.
        os.environ["COMPOSE_PROJECT_NAME"] = self.project
        os.environ["HEDGEROW_SECRETS"] = str(folder)
        os.environ["VENUE_PORT"] = str(self._port)
        self.compose = Compose(str(ROOT), wait=False)

    def up(self) -> None:
        self.started_s = time.monotonic()
        self.compose.start()

    def age_s(self) -> float:
        """Returns the time since `docker-compose up` was said."""
        return time.monotonic() - self.started_s

    def down(self) -> None:
        """As `docker-compose down -v`."""
        self.compose.stop(down=True)
        for name in ("COMPOSE_PROJECT_NAME", "HEDGEROW_SECRETS", "VENUE_PORT"):
            os.environ.pop(name, None)

    def left_behind(self) -> list[str]:
        """Returns every container, volume and network of this project."""
        label = f"label=com.docker.compose.project={self.project}"
        return [
            *docker("ps", "--all", "--quiet", "--filter", label).split(),
            *docker("volume", "ls", "--quiet", "--filter", label).split(),
            *docker("network", "ls", "--quiet", "--filter", label).split(),
        ]

    def containers(self) -> dict[str, dict[str, Any]]:
        """Returns docker's word about each container, by service."""
        label = f"label=com.docker.compose.project={self.project}"
        ids = docker("ps", "--all", "--quiet", "--filter", label).split()
        found = json.loads(docker("inspect", *ids)) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def is_healthy(self) -> bool:
        states = [one["State"] for one in self.containers().values()]
        return bool(states) and all(
            state["Status"] == "running" and state["Health"]["Status"] == "healthy"
            for state in states
        )

    def account(self) -> VenueAccount:
        """Returns the desk's account. Raises OSError while the venue is not up."""
        facts = json.loads(RUNTIME_PATH.read_text(encoding="utf-8"))
        secret = (self._secrets / "venue.secret").read_text(encoding="utf-8")
        return VenueAccount(f"http://127.0.0.1:{self._port}", facts["venue_client_id"], secret)

    def live_quotes(self) -> int:
        try:
            return self.account().live_quotes()
        except OSError:
            return 0
