"""docker-compose.yml and the manifests against infra/deployment.py, schemas and pod security."""

import copy
import re
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from infra import deployment_files, permissions
from infra.alerting import targets
from infra.alerting.core import Config as AlertingConfig
from infra.deployment import (
    HTTP_PORT,
    NATS_SERVERS,
    OPERATOR,
    ROOT,
    ROWS,
    USER_ID,
    WATCHER,
    dns_name,
)
from shared.agent import DRAIN_S_MAX, FLUSH_S_MAX
from shared.configuration import DeskConfig, load_tables, section

KUBERNETES = "1.32"
K8S = ROOT / "infra" / "k8s"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
AGENTS = (*ROWS, WATCHER)
DESK = [*NATS_SERVERS, "provision", *(row.dns_name for row in AGENTS)]
PLAIN = [path for path in sorted(K8S.rglob("*.yaml")) if path.name != "kustomization.yaml"]
WORKLOADS = {"Deployment", "StatefulSet"}


def documents(*paths):
    for path in paths:
        yield from yaml.safe_load_all(path.read_text(encoding="utf-8"))


LAYOUT_PATHS = {
    layout: [*sorted((K8S / "base").glob("[!k]*.yaml")), K8S / layout / "agents.yaml"]
    for layout in deployment_files.LAYOUTS
}


@pytest.mark.parametrize("path", deployment_files.files(), ids=lambda path: path.name)
def test_what_follows_from_the_table_was_written_anew(path):
    assert path.read_text(encoding="utf-8") == deployment_files.files()[path], "make deployment"


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_container_of_compose_is_hardened_and_bounded(name):
    service = COMPOSE["services"][name]
    assert service["user"] == f"{USER_ID}:{USER_ID}"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service
    for limit in ("mem_limit", "cpus", "pids_limit"):
        assert service[limit], limit
    if name != OPERATOR.service:  # it is gone once it has spoken
        assert service["healthcheck"]["test"][0] == "CMD"
    assert service["networks"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    for entry in (service.get("environment") or {}).values():
        assert not re.search(r"^S[UA][A-Z0-9]{40,}", str(entry)), "a seed in an environment"


@pytest.mark.parametrize("row", AGENTS, ids=lambda row: row.service)
def test_a_service_of_compose_is_as_its_row_says(row):
    service = COMPOSE["services"][row.dns_name]
    assert service["image"] == f"hedgerow/{row.image}:${{HEDGEROW_TAG:-dev}}"
    assert service.get("command", []) == row.command
    assert f"{row.dns_name}:/var/lib/hedgerow" in service["volumes"]
    assert set(service["networks"]) == {"bus", "observe", *row.planes}
    assert service["mem_limit"] == f"{row.memory_mib}m"
    assert service["cpus"] == row.cpus
    assert service["stop_grace_period"] == f"{row.grace_s}s"
    assert ("venue_secret" in service["secrets"]) == row.holds_venue_secret
    (key,) = [one for one in service["secrets"] if isinstance(one, dict)]
    assert key == {"source": f"nkey_{row.service}", "target": "bus_nkey"}
    assert service["depends_on"]["provision"] == {"condition": "service_healthy"}
    assert row.grace_s > DRAIN_S_MAX + FLUSH_S_MAX


def test_compose_has_nothing_that_no_row_knows():
    without_profile = {name for name, one in COMPOSE["services"].items() if not one.get("profiles")}
    assert without_profile == set(DESK)
    assert COMPOSE["networks"]["bus"] == COMPOSE["networks"]["observe"] == {"internal": True}


def test_the_watcher_of_compose_looks_at_everybody():
    (mount,) = [
        one for one in COMPOSE["services"]["alerting"]["volumes"] if "/targets.json:" in str(one)
    ]
    path, seen_at, _ = mount.split(":")
    facts = deployment_files.runtime("compose", NATS_SERVERS, ())
    assert seen_at == facts.targets_path
    found = dict(targets.read(ROOT / path))
    assert found == {row.service: f"{row.dns_name}:{HTTP_PORT}" for row in AGENTS}
    for row in AGENTS:
        assert "observe" in COMPOSE["services"][row.dns_name]["networks"]


def test_the_observer_of_experiments_stands_in_a_profile_with_its_own_key():
    service, watcher = (COMPOSE["services"][name] for name in ("observer", "alerting"))
    assert service["profiles"] == ["chaos"]
    for key in ("image", "networks", "mem_limit", "cpus", "depends_on", "healthcheck"):
        assert service[key] == watcher[key], key
    assert {"source": "nkey_observer", "target": "bus_nkey"} in service["secrets"]
    assert service["command"] == ["-m", "infra.observing"]


def test_the_operator_of_compose_is_run_by_a_person_with_a_key_of_its_own():
    service, watcher = (COMPOSE["services"][name] for name in ("operator", "alerting"))
    assert service["profiles"] == ["operator"]
    assert service["restart"] == "no"
    assert "depends_on" not in service  # at night it starts nothing
    assert "ports" not in service
    assert service["image"] == watcher["image"]
    assert set(service["networks"]) == {"bus", "observe"}
    assert service["mem_limit"] == f"{OPERATOR.memory_mib}m"
    assert service["cpus"] == OPERATOR.cpus
    assert service["secrets"] == ["bus_ca", {"source": "nkey_operator", "target": "bus_nkey"}]
    shared = set(service["volumes"])
    assert shared == {
        one for one in watcher["volumes"] if "alerting" not in one
    }  # it keeps nothing
    holders = [
        name
        for name, one in COMPOSE["services"].items()
        if any(
            isinstance(s, dict) and s["source"] == "nkey_operator" for s in one.get("secrets", ())
        )
    ]
    assert holders == ["operator"]


@pytest.mark.parametrize("layout", LAYOUT_PATHS)
def test_the_operator_of_a_layout_stands_by_and_reaches_everybody(layout):
    every = list(documents(*LAYOUT_PATHS[layout]))
    (one,) = [
        each
        for each in every
        if each["kind"] == "Deployment" and each["metadata"]["name"] == "operator"
    ]
    pod = one["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert labels["hedgerow.example/plane-bus"] == "true"
    assert "app.kubernetes.io/part-of" not in labels  # nobody scrapes it
    (inner,) = pod["spec"]["containers"]
    assert inner["image"] == "hedgerow/tools"
    assert inner["command"] == ["/usr/bin/sleep", "infinity"]
    assert not [name for name in inner if name.endswith("Probe")]
    mounted = {volume["name"] for volume in inner["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["spec"]["volumes"]}
    assert "data" not in mounted
    policies = {
        each["metadata"]["name"]: each["spec"] for each in documents(K8S / "base/network.yaml")
    }
    own = {"podSelector": policies["operator"]["podSelector"]}
    assert own["podSelector"]["matchLabels"].items() <= labels.items()
    assert own in policies["metrics"]["ingress"][0]["from"]
    (asked,) = policies["operator"]["egress"]
    assert asked["to"] == [{"podSelector": policies["metrics"]["podSelector"]}]
    assert asked["ports"] == policies["metrics"]["ingress"][0]["ports"]


def test_alertmanager_hears_the_watcher_where_there_is_one():
    """Without the profile nobody is there to tell, and a page that cannot be told is an alert."""
    desk, observed = (
        section(load_tables(str(ROOT / "infra" / "compose" / name)), "alerting", AlertingConfig)
        for name in ("desk.toml", "observed.toml")
    )
    assert desk.alertmanager_url == ""
    host, port = observed.alertmanager_url.removeprefix("http://").split(":")
    service = COMPOSE["services"][host]
    assert service["ports"] == [f"127.0.0.1:${{ALERTMANAGER_PORT:-{port}}}:{port}"]
    assert set(service["networks"]) & set(COMPOSE["services"]["alerting"]["networks"])


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_manifest_is_valid_by_the_schemas_of_kubernetes(path):
    for document in documents(path):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_a_manifest_with_a_misspelt_field_is_refused():
    (whole,) = [one for one in documents(*LAYOUT_PATHS["whole"]) if one["kind"] == "StatefulSet"]
    broken = copy.deepcopy(whole)
    broken["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)


def insecurities(pod):
    """Yields what the restricted profile of pod security would refuse, and what we add to it."""
    security = pod.get("securityContext", {})
    if security.get("runAsNonRoot") is not True or security.get("runAsUser", 0) < 10_000:
        yield "may run as root"
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "no seccomp profile"
    if pod.get("automountServiceAccountToken") is not False:
        yield "holds a token of the cluster"
    if any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")):
        yield "shares the host's namespaces"
    allowed = {"configMap", "emptyDir", "projected", "secret", "persistentVolumeClaim"}
    for volume in pod.get("volumes", ()):
        if not set(volume) - {"name"} <= allowed:
            yield f"mounts {volume}"
    for one in pod["containers"]:
        inner = one.get("securityContext", {})
        if inner.get("allowPrivilegeEscalation") is not False:
            yield "may gain privileges"
        if inner.get("capabilities") != {"drop": ["ALL"]}:
            yield "keeps capabilities"
        if inner.get("readOnlyRootFilesystem") is not True:
            yield "may write its root"
        if one["resources"].get("limits") != one["resources"].get("requests"):
            yield "is not guaranteed what it may use"


def pods(layout):
    for document in documents(*LAYOUT_PATHS[layout]):
        if document["kind"] in WORKLOADS:
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


@pytest.mark.parametrize("layout", LAYOUT_PATHS)
def test_every_pod_keeps_to_restricted_pod_security(layout):
    for name, pod in pods(layout):
        assert list(insecurities(pod)) == [], name
    (namespace,) = [one for one in documents(*LAYOUT_PATHS[layout]) if one["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_an_insecure_pod_is_noticed():
    _, pod = next(pods("whole"))
    broken = copy.deepcopy(pod)
    broken["securityContext"]["runAsUser"] = 0
    broken["containers"][0]["securityContext"]["capabilities"]["add"] = ["NET_ADMIN"]
    assert set(insecurities(broken)) == {"may run as root", "keeps capabilities"}


@pytest.mark.parametrize("layout", LAYOUT_PATHS)
def test_every_process_of_a_layout_is_one_workload(layout):
    every = list(documents(*LAYOUT_PATHS[layout]))
    processes = deployment_files.processes(deployment_files.LAYOUTS[layout])
    names = {name.replace("_", "-") for name in processes}
    assert names > {"alerting"}
    deployed = {one["metadata"]["name"]: one for one in every if one["kind"] == "Deployment"}
    assert set(deployed) == names | {"provision", OPERATOR.service}
    budgets = [one for one in every if one["kind"] == "PodDisruptionBudget"]
    assert {one["metadata"]["name"] for one in budgets} == names | {"nats"}
    assert not [one for one in every if one["kind"] == "HorizontalPodAutoscaler"]
    for name in names:
        # Two of a service would quote, hedge or place twice.
        assert deployed[name]["spec"]["replicas"] == 1
        assert deployed[name]["spec"]["strategy"] == {"type": "Recreate"}
        (one,) = deployed[name]["spec"]["template"]["spec"]["containers"]
        assert one["livenessProbe"]["httpGet"]["path"] == "/health"
        assert one["readinessProbe"]["httpGet"]["path"] == "/ready"
        assert one["startupProbe"]["failureThreshold"] >= 30


def test_a_shard_is_told_of_its_underlying():
    found = {}
    for name, pod in pods("sharded"):
        told = {one["name"]: one.get("value") for one in pod["containers"][0].get("env", ())}
        if "HEDGEROW_SHARD" in told:
            found[name] = told["HEDGEROW_SHARD"]
    assert found == {
        f"{service}-{underlying.lower()}": underlying
        for service in ("pricing", "market-making", "hedging")
        for underlying in DeskConfig().underlyings
    }


@pytest.mark.parametrize("layout", LAYOUT_PATHS)
def test_the_watcher_of_a_layout_reaches_everybody(layout):
    every = list(documents(*LAYOUT_PATHS[layout]))
    named = {one["metadata"]["name"]: one["spec"] for one in every if one["kind"] == "Service"}
    deployed = {
        one["metadata"]["name"]: one["spec"] for one in every if one["kind"] == "Deployment"
    }
    found = dict(targets.read(K8S / layout / targets.FILE_NAME))
    assert found.keys() == deployment_files.processes(deployment_files.LAYOUTS[layout]).keys()
    for address in found.values():
        host, port = address.split(":")
        # Also one that is not ready, or that would be taken for a dead one.
        assert named[host]["publishNotReadyAddresses"] is True
        assert int(port) in {one["port"] for one in named[host]["ports"]}
        labels = deployed[host]["template"]["metadata"]["labels"]
        assert named[host]["selector"].items() <= labels.items()
        assert labels["app.kubernetes.io/part-of"] == "hedgerow"
    kustomization = next(documents(K8S / layout / "kustomization.yaml"))
    (generator,) = kustomization["configMapGenerator"]
    assert targets.FILE_NAME in generator["files"]
    policies = {
        one["metadata"]["name"]: one["spec"] for one in documents(K8S / "base/network.yaml")
    }
    (asked, *_) = policies["watcher"]["egress"]
    assert asked["to"] == [{"podSelector": policies["metrics"]["podSelector"]}]
    own = {"podSelector": policies["watcher"]["podSelector"]}
    assert own in policies["metrics"]["ingress"][0]["from"]
    assert asked["ports"] == policies["metrics"]["ingress"][0]["ports"]


@pytest.mark.parametrize("layout", LAYOUT_PATHS)
def test_every_secret_that_a_layout_mounts_is_one_that_the_readme_makes(layout):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    made = set(re.findall(r"create secret generic (?!bus-\$)([a-z-]+)", readme))
    assert "create secret generic bus-${role//_/-} --from-file=bus_nkey=" in readme
    granted = permissions.roles_of("", is_sharded=bool(deployment_files.LAYOUTS[layout]))
    made |= {f"bus-{dns_name(role)}" for role in granted}
    mounted = set()
    for _, pod in pods(layout):
        for volume in pod["volumes"]:
            mounted |= {
                one["secret"]["name"] for one in volume.get("projected", {}).get("sources", ())
            }
            mounted |= {volume["secret"]["secretName"]} if "secret" in volume else set()
    assert {"bus-ca", "venue-secret", "nats-security", "bus-operator"} <= mounted
    assert mounted <= made


def test_nats_is_probed_so_that_recovery_is_no_reason_to_die():
    (server,) = [
        one for one in documents(K8S / "base" / "nats.yaml") if one["kind"] == "StatefulSet"
    ]
    pod = server["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    paths = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "liveness", "readiness")
    }
    assert paths == {
        "startup": "/healthz",
        "liveness": "/healthz?js-enabled-only=true",
        "readiness": "/healthz?js-server-only=true",
    }
    lame_duck_s = int(
        re.search(
            r'lame_duck_duration: "(\d+)s"',
            (ROOT / "infra" / "nats" / "cluster.conf").read_text(encoding="utf-8"),
        )[1]
    )
    assert pod["terminationGracePeriodSeconds"] > lame_duck_s
    assert server["spec"]["replicas"] == 3


def test_nobody_talks_to_anybody_unless_it_is_said():
    policies = {
        one["metadata"]["name"]: one["spec"] for one in documents(K8S / "base" / "network.yaml")
    }
    denied = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert policies["default-deny"] == denied
    for name, policy in policies.items():
        for rule in (*policy.get("ingress", ()), *policy.get("egress", ())):
            assert rule.get("from") or rule.get("to"), f"{name} is open to everybody"
            assert rule["ports"], f"{name} opens every port"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("layout", LAYOUT_PATHS)
def test_kustomize_renders_a_layout(layout):
    done = subprocess.run(
        ["kubectl", "kustomize", str(K8S / layout)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rendered = list(yaml.safe_load_all(done.stdout))
    maps = {one["metadata"]["name"] for one in rendered if one["kind"] == "ConfigMap"}
    for document in rendered:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
        if document["kind"] in WORKLOADS:
            assert document["metadata"]["namespace"] == "hedgerow"
            volumes = document["spec"]["template"]["spec"]["volumes"]
            used = {one["configMap"]["name"] for one in volumes if "configMap" in one}
            assert used <= maps, "a map that kustomize did not name"
