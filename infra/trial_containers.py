"""A desk of docker-compose.yml for trials: its own project, secrets and ports; leaves no trace."""

import json
import os
import secrets
import shutil
import subprocess
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from testcontainers.compose import DockerCompose

from infra import deployment_keys
from infra.deployment import HTTP_PORT, NATS_SERVERS, OTHER_IMAGES, ROOT, ROWS
from infra.embedded_nats import free_port
from infra.images import tag_of
from infra.venue_account import VenueAccount

IMAGES = [*(row.service for row in ROWS), *OTHER_IMAGES]
RUNTIME_PATH = ROOT / "infra" / "compose" / "runtime.json"
OBSERVED = "./infra/compose/observed.toml"
PRINT = "import sys,urllib.request as u;sys.stdout.write(u.urlopen(sys.argv[1]).read().decode())"


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


class Compose(DockerCompose):
    """testcontainers knows compose as a plugin of docker; it may also be a program of its own."""

    @cached_property
    def compose_command_property(self) -> list[str]:
        command = super().compose_command_property
        return ["docker-compose", *command[2:]] if shutil.which("docker-compose") else command


class Stack:
    """One desk of docker-compose.yml, under a project name and on a port of its own; `profile`
    adds what stands in one."""

    def __init__(self, folder: Path, profile: str = "") -> None:
        self.project = f"hedgerow-test-{secrets.token_hex(3)}"
        self.secrets = folder
        self.authority = deployment_keys.authority_folder(folder)
        self.started_s = 0.0
        self.venue_port = free_port()
        deployment_keys.write(folder, self.authority, is_sharded=False)
        self._before = dict(os.environ)
        # testcontainers hands its own environment to the command.
        os.environ["COMPOSE_PROJECT_NAME"] = self.project
        os.environ["HEDGEROW_SECRETS"] = str(folder)
        os.environ["VENUE_PORT"] = str(self.venue_port)
        os.environ["COMPOSE_PROFILES"] = profile
        self.compose = Compose(str(ROOT), wait=False)

    def up(self) -> None:
        self.started_s = time.monotonic()
        self.compose.start()

    def age_s(self) -> float:
        """Returns the time since `docker-compose up` was said."""
        return time.monotonic() - self.started_s

    def down(self) -> None:
        """As `docker-compose down -v`, whatever the profile was."""
        os.environ["COMPOSE_PROFILES"] = "operator,observe,chaos"
        self.compose.stop(down=True)
        os.environ.clear()
        os.environ.update(self._before)

    def add_alertmanager(self, image: str) -> str:
        """Starts Alertmanager beside the desk, and the watcher anew, as the profile observe has
        them; returns Alertmanager's URL."""
        port = free_port()
        os.environ["HEDGEROW_CONFIG"] = OBSERVED
        os.environ["ALERTMANAGER_IMAGE"] = image
        os.environ["ALERTMANAGER_PORT"] = str(port)
        command = [*self.compose.compose_command_property, "--profile", "observe", "up"]
        services = ["--detach", "--no-deps", "alertmanager", "alerting"]
        subprocess.run([*command, *services], cwd=ROOT, check=True, capture_output=True)
        return f"http://127.0.0.1:{port}"

    def take_step(self, step: str) -> None:
        """Renews the certificates, or takes a step to another authority, as a person would."""
        deployment_keys.change(self.secrets, self.authority, step)
        deployment_keys.write(self.secrets, self.authority, is_sharded=False)
        servers = [one["Id"] for name, one in self.containers().items() if name in NATS_SERVERS]
        docker("kill", "--signal", "HUP", *servers)

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

    def told_by(self, service: str, path: str) -> str:
        """Returns what a container answers on its own HTTP port."""
        url = f"http://127.0.0.1:{HTTP_PORT}{path}"
        container = self.containers()[service]["Id"]
        return docker("exec", container, "python3", "-ISc", PRINT, url)

    def operator(
        self, *words: str, options: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Runs a person's command as one would at night; `options` are of docker-compose run."""
        command = [*self.compose.compose_command_property, "run", "--rm", "-T", *options]
        return subprocess.run(
            [*command, "operator", *words], cwd=ROOT, capture_output=True, text=True, check=False
        )

    def alerts(self) -> dict[str, Any]:
        """Returns what the watcher holds: `looked_unix_s`, `active` and `ended`."""
        found: dict[str, Any] = json.loads(self.told_by("alerting", "/alerts"))
        return found

    def active(self) -> set[tuple[str, str]]:
        """Returns the alerts that are active: each name, and the service that it is about."""
        return {(one["name"], one["labels"].get("service", "")) for one in self.alerts()["active"]}

    def pages_recorded(self) -> int:
        """Returns how many of the watcher's pages the ledger has taken from the bus."""
        lines = self.told_by("ledger", "/metrics").splitlines()
        pages = [one for one in lines if one.startswith("message_handled_total{") and "Page" in one]
        return sum(int(float(one.split()[-1])) for one in pages)

    def account(self) -> VenueAccount:
        """Returns the desk's account. Raises OSError while the venue is not up."""
        facts = json.loads(RUNTIME_PATH.read_text(encoding="utf-8"))
        secret = (self.secrets / "venue.secret").read_text(encoding="utf-8")
        return VenueAccount(f"http://127.0.0.1:{self.venue_port}", facts["venue_client_id"], secret)

    def live_quotes(self) -> int:
        try:
            return self.account().live_quotes()
        except OSError:
            return 0
