"""The desk as docker-compose runs it, on a real engine: `make test-containers`.

The tests use one stack and run in their order: it comes up, is looked at, loses its services one
by one, and goes."""

import re

import pytest

from infra.deployment import ROWS
from infra.desk_plan import STOP_ORDER
from tests.system.engine import Stack, docker, require, until

pytestmark = pytest.mark.containers

QUOTING_S_MAX = 60.0
QUOTES_MIN = 200
AGENTS = {row.dns_name: row for row in ROWS}
# As the desk ends: quotes first, the record and the venue last.
ENDS = [name.replace("_", "-") for name in (*STOP_ORDER, "venue")]
STATUS = re.compile(r"^(\w+):\s+(\S+)", re.MULTILINE)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    require()
    found = Stack(tmp_path_factory.mktemp("secrets"))
    try:
        found.up()
        yield found
    finally:
        found.down()
        assert found.left_behind() == []


def test_the_desk_quotes_within_a_minute_and_is_healthy(stack, record_property):
    until(lambda: stack.live_quotes() >= QUOTES_MIN, QUOTING_S_MAX, "quotes")
    quoting_s = stack.age_s()
    until(stack.is_healthy, QUOTING_S_MAX, "health of every container")
    record_property("quoting_s", round(quoting_s, 1))
    record_property("healthy_s", round(stack.age_s(), 1))
    assert quoting_s <= QUOTING_S_MAX
    assert {*AGENTS, "nats-1", "nats-2", "nats-3"} <= stack.containers().keys()


def test_every_container_is_as_hard_as_it_says(stack):
    for name, facts in stack.containers().items():
        status = dict(STATUS.findall(docker("exec", facts["Id"], "cat", "/proc/1/status")))
        assert int(status["Uid"]) >= 10_000, name
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[capabilities], 16) == 0, (name, capabilities)
        assert status["NoNewPrivs"] == "1", name
        assert status["Seccomp"] in {"2", "0"}, name
        mounts = docker("exec", facts["Id"], "cat", "/proc/mounts").splitlines()
        root = next(line.split() for line in mounts if line.split()[1] == "/")
        assert "ro" in root[3].split(","), (name, root)
        tmp = next(line.split() for line in mounts if line.split()[1] == "/tmp")  # noqa: S108
        assert {"noexec", "nosuid", "nodev"} <= set(tmp[3].split(",")), (name, tmp)
        host = facts["HostConfig"]
        assert host["ReadonlyRootfs"], name
        assert host["CapDrop"] == ["ALL"], name
        assert not host["Privileged"], name
        assert host["Memory"] > 0, name
        assert host["NanoCpus"] > 0, name
        assert host["PidsLimit"] > 0, name


def test_no_secret_is_in_an_environment(stack):
    for name, facts in stack.containers().items():
        for entry in facts["Config"]["Env"]:
            key, _, value = entry.partition("=")
            if key.endswith("_FILE"):
                assert value.startswith("/run/secrets/"), (name, entry)
        secrets = [one["Destination"] for one in facts["Mounts"]]
        holds = "/run/secrets/venue_secret" in secrets
        assert holds == (name in {"venue", "gateway", "market-making"}), name


@pytest.mark.parametrize("network", ["bus", "observe"])
def test_only_the_venues_plane_reaches_outside(stack, network):
    assert docker(
        "network", "inspect", f"{stack.project}_{network}", "--format", "{{.Internal}}"
    ) == "true"  # fmt: skip


def test_streams_are_kept_by_all_three_servers(stack):
    name = stack.containers()["nats-1"]["Id"]
    script = (
        "import json,urllib.request as u;"
        "a=json.load(u.urlopen('http://127.0.0.1:8222/jsz?streams=1&config=1'));"
        "print(sorted((s['name'], s['config']['num_replicas'])"
        " for one in a['account_details'] for s in one['stream_detail']))"
    )
    kept = [(stream, 3) for stream in ("DEAD", "LEDGER", "RECORD", "STATE")]
    assert docker("exec", name, "python3", "-c", script) == str(kept)


@pytest.mark.parametrize("name", ENDS)
def test_sigterm_ends_a_service_in_its_grace(stack, name):
    account = stack.account() if name != "venue" else None
    container = stack.containers()[name]["Id"]
    docker("update", "--restart=no", container)
    if name == "market-making":
        assert account.live_quotes() > 0
    docker("kill", "--signal", "SIGTERM", container)

    def has_ended():
        return stack.containers()[name]["State"]["Status"] == "exited"

    until(has_ended, AGENTS[name].grace_s, f"end of {name}")
    assert stack.containers()[name]["State"]["ExitCode"] == 0
    if account is not None:
        assert account.live_quotes() == 0
