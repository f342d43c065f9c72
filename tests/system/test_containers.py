"""The desk as docker-compose runs it, on a real engine: `make test-containers`.

The tests use one stack and run in their order: it comes up, is looked at, is hurt, loses its
services one by one, and goes."""

import json
import os
import re
import time
from urllib.request import urlopen

import nkeys
import pytest

from infra.alerting.certificates import LOOK_S
from infra.deployment import NATS_SERVERS, ROWS, USER_ID, WATCHER, dns_name
from infra.desk_plan import STOP_ORDER
from infra.trial_containers import Stack, docker
from tests.system.engine import alertmanager_image, require, until

pytestmark = pytest.mark.containers

QUOTING_S_MAX = 60.0
QUOTES_MIN = 200
DETECTED_S_MAX = 5.0
SHOWN_S_MAX = 3 * LOOK_S
CALM_S = 10.0
CALM_S_MAX = 120.0  # that an agent was started again is told for a minute
BACK_S_MAX = 60.0
AGENTS = {row.dns_name: row for row in (*ROWS, WATCHER)}
# As the desk ends: quotes first, then the watcher; the record and the venue last.
ENDS = [dns_name(name) for name in (STOP_ORDER[0], "alerting", *STOP_ORDER[1:], "venue")]
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
    record_property("load", os.getloadavg()[0])


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


def told(stack, service, metric):
    """Returns the series of a metric and their values, as an agent tells them."""
    text = stack.told_by(service, f"/metrics?name[]={metric}")
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith(metric)]
    return {series: float(value) for series, _, value in lines}


def test_certificates_and_their_authority_are_replaced_under_the_desk(stack):
    """Whoever is connected stays so; whoever comes afterwards comes in."""
    ends = "bus_certificate_expiry_timestamp_seconds"
    connected = {name: told(stack, name, "bus_connected") for name in AGENTS}
    shown = told(stack, "alerting", ends)
    assert len(shown) == 2 * len(NATS_SERVERS)
    for step, parts in (("renew", 1), ("trust", 0), ("sign", 2), ("forget", 0)):
        stack.take_step(step)
        renewed = parts * len(NATS_SERVERS)

        def is_shown(before=shown, renewed=renewed):
            now = told(stack, "alerting", ends)
            return sum(now.get(series, 0.0) > end for series, end in before.items()) == renewed

        until(is_shown, SHOWN_S_MAX, f"{renewed} new ends after {step}")
        shown = told(stack, "alerting", ends)
    time.sleep(LOOK_S + 1)
    refused = told(stack, "alerting", "bus_certificate_refused")
    assert len(refused) == len(NATS_SERVERS)
    assert set(refused.values()) == {0.0}
    assert {name: told(stack, name, "bus_connected") for name in AGENTS} == connected
    docker("restart", stack.containers()["hedging"]["Id"])
    until(stack.is_healthy, BACK_S_MAX, "health of every container")


def calm(stack):
    """Waits until no alert has been active for a while."""
    since, told = time.monotonic(), None

    def is_calm():
        nonlocal since, told
        active = stack.active()
        if active:
            since = time.monotonic()
        if active != told:
            print("active:", active)  # noqa: T201  # shown if it fails
            told = active
        return time.monotonic() - since >= CALM_S

    until(is_calm, CALM_S_MAX, "calm")


def test_in_calm_the_watcher_looks_and_holds_no_alert(stack):
    calm(stack)
    report = stack.alerts()
    assert report["active"] == []
    assert time.time() - report["looked_unix_s"] < DETECTED_S_MAX


def as_json(done):
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_a_person_sees_the_desk_from_a_container(stack):
    calm(stack)
    found = as_json(stack.operator("status", "--json"))
    assert {one["service"] for one in found["agents"]} == {row.service for row in AGENTS.values()}
    assert all(one["is_ready"] and "pid" not in one for one in found["agents"]), found["agents"]
    assert sum(one["quoted_count"] for one in found["quotes"].values()) > 0
    assert found["greeks"].keys() == found["pnl"].keys() == {"BTC", "ETH"}
    assert found["halts"] == []
    walk = stack.operator("doctor", "--live")
    assert walk.returncode == 0, walk.stdout + walk.stderr
    assert "8 of 8 answer" in walk.stdout
    assert stack.operator("alerts").returncode == 0
    asked = stack.operator("metrics", "risk", "halt_active")
    assert asked.returncode == 0
    assert 'halt_active{underlying="BTC"} 0.0' in asked.stdout
    assert stack.operator("metrics", "nobody").returncode == 2


def test_a_halt_from_a_container_empties_the_venues_books_until_the_resume(stack):
    assert stack.operator("halt", "DOGE", "--reason", "a test").returncode == 2
    until(lambda: stack.live_quotes() >= QUOTES_MIN, BACK_S_MAX, "quotes")
    done = stack.operator("halt", "--reason", "a test", options=("-e", "LOGNAME=ada"))
    assert done.returncode == 0, done.stderr
    assert "BTC halted: halted, 0 instruments quoted" in done.stdout
    assert stack.live_quotes() == 0
    docker("restart", stack.containers()["market-making"]["Id"])  # it is latched
    until(stack.is_healthy, BACK_S_MAX, "health of every container")
    found = as_json(stack.operator("status", "--json"))
    assert [(one["action"], one["author"]) for one in found["halts"]] == [("halt", "ada")]
    assert {one["state"] for one in found["quotes"].values()} == {"halted: halted"}
    assert stack.live_quotes() == 0
    assert stack.operator("alerts").returncode == 1
    assert stack.operator("doctor", "--live").returncode == 1
    done = stack.operator("resume", "--reason", "a test", "--json")
    assert done.returncode == 0, done.stderr
    assert as_json(done)["is_taken"] is True
    until(lambda: stack.live_quotes() >= QUOTES_MIN, BACK_S_MAX, "quotes")


def test_a_breaker_is_opened_and_closed_from_a_container(stack):
    done = stack.operator("breaker", "risk", "reconciliation", "--force-open", "--reason", "a test")
    assert done.returncode == 0, done.stderr
    until(lambda: stack.live_quotes() == 0, DETECTED_S_MAX, "empty books")
    docker("restart", stack.containers()["risk"]["Id"])
    until(stack.is_healthy, BACK_S_MAX, "health of every container")
    assert "forced_open" in stack.operator("breaker", "risk", "reconciliation").stdout
    assert stack.live_quotes() == 0
    done = stack.operator("breaker", "risk", "reconciliation", "--reset", "--reason", "a test")
    assert done.returncode == 0, done.stderr
    assert "closed" in done.stdout
    until(lambda: stack.live_quotes() >= QUOTES_MIN, BACK_S_MAX, "quotes")


@pytest.mark.parametrize(
    ("key", "code", "says"),
    [("/run/secrets/none", 2, "No such file"), ("/tmp/hedging.nk", 1, "ermission"),  # noqa: S108
     ("/tmp/other.nk", 1, "refuses this login")],  # noqa: S108
    ids=["no key", "another role's key", "a key that nobody granted"],
)  # fmt: skip
def test_without_the_operators_key_nobody_halts_anything(stack, tmp_path, key, code, says):
    """The off leg: the same word, without the key that it takes."""
    calm(stack)
    other = nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER)
    keys = {
        "hedging.nk": (stack.secrets / "keys" / "hedging.nk").read_bytes(),
        "other.nk": bytes(other),
    }
    options = ["-e", f"HEDGEROW_BUS_NKEY_FILE={key}"]
    if (name := key.rpartition("/")[2]) in keys:
        path = tmp_path / name
        path.write_bytes(keys[name])
        os.chown(path, USER_ID, USER_ID)
        options += ["-v", f"{path}:{key}:ro"]
    done = stack.operator("halt", "--reason", "a test", options=tuple(options))
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert stack.live_quotes() >= QUOTES_MIN


@pytest.mark.parametrize(
    ("hurt", "mend", "name"),
    [("kill", "start", "hedging"), ("pause", "unpause", "market-making")],
)
def test_the_watcher_says_in_five_seconds_who_is_hurt(stack, record_property, hurt, mend, name):
    calm(stack)
    pages, service = stack.pages_recorded(), AGENTS[name].service
    container = stack.containers()[name]["Id"]
    docker(hurt, container)
    hurt_unix_s = time.time()
    try:
        until(lambda: ("AgentSilent", service) in stack.active(), 2 * DETECTED_S_MAX, "an alert")
    finally:
        docker(mend, container)
    detected_s = min(
        one["detected_unix_s"] - hurt_unix_s
        for one in stack.alerts()["active"] + stack.alerts()["ended"]
        if (one["name"], one["labels"].get("service")) == ("AgentSilent", service)
        and one["detected_unix_s"] > hurt_unix_s
    )
    record_property("detected_s", round(detected_s, 2))
    assert detected_s <= DETECTED_S_MAX
    until(lambda: stack.pages_recorded() > pages, DETECTED_S_MAX, "a page on the bus")
    until(stack.is_healthy, BACK_S_MAX, "health of every container")
    until(lambda: stack.live_quotes() >= QUOTES_MIN, BACK_S_MAX, "quotes")


def test_without_the_watcher_nobody_says_it(stack):
    """The off leg: the same kill, and no page."""
    calm(stack)
    watcher, hurt = (stack.containers()[name]["Id"] for name in ("alerting", "hedging"))
    docker("stop", watcher)
    pages = stack.pages_recorded()
    docker("kill", hurt)
    time.sleep(2 * DETECTED_S_MAX)
    assert stack.pages_recorded() == pages
    docker("start", hurt, watcher)
    until(stack.is_healthy, BACK_S_MAX, "health of every container")


def test_alertmanager_hears_of_it_where_it_is(stack):
    url = stack.add_alertmanager(alertmanager_image())
    until(stack.is_healthy, BACK_S_MAX, "health of every container")
    hurt = stack.containers()["hedging"]["Id"]
    docker("kill", hurt)

    def names():
        with urlopen(f"{url}/api/v2/alerts") as answer:  # of this machine
            return [one["labels"]["alertname"] for one in json.load(answer)]

    try:
        until(lambda: "AgentSilent" in names(), 2 * DETECTED_S_MAX, "alert at Alertmanager")
    finally:
        docker("start", hurt)
    assert ("PageUndelivered", "") not in stack.active()
    until(stack.is_healthy, BACK_S_MAX, "health of every container")


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
