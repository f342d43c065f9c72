"""Writes the parts of a deployment that follow from infra/deployment.py: `make deployment`.

infra/compose/runtime.json and observer.json, infra/prometheus/targets/desk.json and, in infra/k8s,
agents.yaml, runtime.json and targets.json of each layout. They are committed, so that they can be
read and applied as they are; a contract test compares.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from infra.alerting import targets
from infra.deployment import (
    HTTP_PORT,
    NATS_PODS,
    NATS_SERVERS,
    OPERATOR,
    ROOT,
    ROWS,
    USER_ID,
    WATCHER,
    Row,
    dns_name,
)
from infra.topology import Instance, instances
from shared.configuration import DeskConfig, FeedAddress, Runtime

HOME = "/var/lib/hedgerow"
EVENT_PORT, SNAPSHOT_PORT = 6100, 6101
LAYOUTS: dict[str, tuple[str, ...]] = {"whole": (), "sharded": DeskConfig().underlyings}
FEEDS_OF = "market_making"
CONFIGURATION = "/etc/hedgerow"


def processes(shards: Sequence[str] = ()) -> dict[str, Instance]:
    """Returns everything that runs: the services' processes and the watcher."""
    return {**instances(shards), WATCHER.service: Instance(WATCHER.service)}


def runtime(run_id: str, servers: Iterable[str], running: Iterable[Instance]) -> Runtime:
    """Returns the facts that every container of a deployment is given."""
    every = list(running)
    return Runtime(
        run_id=run_id,
        directory=HOME,
        config_path=f"{CONFIGURATION}/desk.toml",
        nats_url=",".join(f"nats://{server}:4222" for server in servers),
        clock_offset_ns=0,
        seed=1,
        chain_path="",
        venue_ws_url="ws://venue:8080/ws/api/v2",
        venue_http_url="http://venue:8080",
        venue_fix_url="tcp://venue:9881",
        venue_client_id="hedgerow-desk",
        venue_client_secret_path="",
        http_ports={one.name: HTTP_PORT for one in every},
        feeds={
            one.name: FeedAddress(
                host=dns_name(one.name),
                event_port=EVENT_PORT,
                snapshot_port=SNAPSHOT_PORT,
                underlyings=(one.shard,) if one.shard else (),
            )
            for one in every
            if one.service == FEEDS_OF
        },
        listen_host="0.0.0.0",  # noqa: S104  # a container's own
        stream_replicas=3,
        targets_path=f"{CONFIGURATION}/{targets.FILE_NAME}",
    )


def agent_documents(running: Mapping[str, Instance]) -> Iterator[dict[str, Any]]:
    """Yields the manifests of all agents of a layout, of their watcher and of the operator."""
    rows = {row.service: row for row in (*ROWS, WATCHER)}
    for one in running.values():
        row = rows[one.service]
        yield claim(one)
        yield deployment(row, one)
        yield disruption_budget(one)
        yield network_service(one, ports_of(row))
    yield standing(OPERATOR)


def target_groups(running: Iterable[Instance]) -> list[dict[str, Any]]:
    """Returns where every process tells of itself, for Prometheus and the watcher."""
    return [
        {"targets": [f"{dns_name(one.name)}:{HTTP_PORT}"], "labels": {"service": one.name}}
        for one in running
    ]


def standing(row: Row) -> dict[str, Any]:
    """Returns the Deployment of a pod that does nothing but stand by for `kubectl exec`: at night
    nobody waits for a pod to be placed. It has no part in what agents are asked and keep."""
    one = Instance(row.service)
    document = deployment(row, one)
    template = document["spec"]["template"]
    del template["metadata"]["labels"]["app.kubernetes.io/part-of"]
    template["spec"]["terminationGracePeriodSeconds"] = 1  # sleep hears no SIGTERM
    del template["spec"]["topologySpreadConstraints"]
    is_data = {"name": "data", "persistentVolumeClaim": {"claimName": row.dns_name}}
    template["spec"]["volumes"].remove(is_data)
    (inner,) = template["spec"]["containers"]
    for key in ("args", "ports", "startupProbe", "livenessProbe", "readinessProbe"):
        del inner[key]
    inner["name"] = row.service
    inner["command"] = ["/usr/bin/sleep", "infinity"]
    inner["volumeMounts"] = [one for one in inner["volumeMounts"] if one["name"] != "data"]
    return document


def labels(one: Instance) -> dict[str, str]:
    found = {
        "app.kubernetes.io/name": dns_name(one.service),
        "app.kubernetes.io/instance": dns_name(one.name),
    }
    return found | ({"hedgerow.example/underlying": one.shard} if one.shard else {})


def deployment(row: Row, one: Instance) -> dict[str, Any]:
    """Returns the Deployment of one process: never two at once, so the old one goes first."""
    name = dns_name(one.name)
    planes = {f"hedgerow.example/plane-{plane}": "true" for plane in ("bus", *row.planes)}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels(one)},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels(one)},
            "template": {
                "metadata": {
                    "labels": {
                        **labels(one), **planes, "app.kubernetes.io/part-of": "hedgerow",
                    },
                },
                "spec": pod(row, one),
            },
        },
    }  # fmt: skip


def pod(row: Row, one: Instance) -> dict[str, Any]:
    secrets: list[dict[str, Any]] = [
        {"secret": {"name": f"bus-{dns_name(one.name)}"}}, {"secret": {"name": "bus-ca"}},
    ]  # fmt: skip
    if row.holds_venue_secret:
        secrets.append({"secret": {"name": "venue-secret"}})
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": row.grace_s + 5,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/part-of": "hedgerow"}},
            }
        ],
        "containers": [container(row, one)],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": dns_name(one.name)}},
            {"name": "configuration", "configMap": {"name": "desk"}},
            {"name": "secrets", "projected": {"defaultMode": 0o440, "sources": secrets}},
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
        ],
    }


def container(row: Row, one: Instance) -> dict[str, Any]:
    environment = {
        "HEDGEROW_RUNTIME": f"{CONFIGURATION}/runtime.json",
        "HEDGEROW_BUS_CA_FILE": "/run/secrets/bus_ca",
        "HEDGEROW_BUS_NKEY_FILE": "/run/secrets/bus_nkey",
    }
    if row.holds_venue_secret:
        environment["HEDGEROW_VENUE_SECRET_FILE"] = "/run/secrets/venue_secret"  # noqa: S105
    if one.shard:
        environment["HEDGEROW_SHARD"] = one.shard
    size = {"cpu": f"{row.cpus:g}", "memory": f"{row.memory_mib}Mi"}
    return {
        "name": "agent",
        "image": f"hedgerow/{row.image}",
        **({"args": row.command} if row.command else {}),
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": [{"name": n, "containerPort": p, "protocol": k} for n, p, k in ports_of(row)],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # Equal, so that the pod is Guaranteed: a quoter that waits for a core quotes late.
        "resources": {"requests": size, "limits": size},
        "startupProbe": probe("/health", period_s=1, failures=60),
        "livenessProbe": probe("/health", period_s=5, failures=3),
        "readinessProbe": probe("/ready", period_s=2, failures=2),
        "volumeMounts": [
            {"name": "data", "mountPath": HOME},
            {"name": "configuration", "mountPath": CONFIGURATION, "readOnly": True},
            {"name": "secrets", "mountPath": "/run/secrets", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # a path inside the pod
        ],
    }


def probe(path: str, *, period_s: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "http"},
        "periodSeconds": period_s,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    }


def ports_of(row: Row) -> tuple[tuple[str, int, str], ...]:
    """Returns what others reach a process at: name, port, protocol."""
    http = ("http", HTTP_PORT, "TCP")
    if row.service == "venue":
        return (http, ("websocket", 8080, "TCP"), ("fix", 9881, "TCP"))
    if row.service == FEEDS_OF:
        return (http, ("events", EVENT_PORT, "UDP"), ("snapshots", SNAPSHOT_PORT, "UDP"))
    return (http,)


def network_service(one: Instance, ports: Iterable[tuple[str, int, str]]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": dns_name(one.name), "labels": labels(one)},
        "spec": {
            "selector": labels(one),
            "publishNotReadyAddresses": True,  # who is not ready is to be asked why
            "ports": [
                {"name": name, "port": port, "protocol": kind, "targetPort": name}
                for name, port, kind in ports
            ],
        },
    }


def claim(one: Instance) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": dns_name(one.name), "labels": labels(one)},
        "spec": {
            "accessModes": ["ReadWriteOncePod"],
            "resources": {"requests": {"storage": "10Gi"}},
        },
    }


def disruption_budget(one: Instance) -> dict[str, Any]:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": dns_name(one.name), "labels": labels(one)},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": labels(one)}},
    }


def files() -> dict[Path, str]:
    """Returns every written file's text by its path."""
    everybody = (*processes().values(), Instance("observer"))
    compose = runtime("compose", NATS_SERVERS, everybody)
    # Blind itself, it would call others wrong: it stays with a server that no experiment kills.
    observing = runtime("compose", NATS_SERVERS[:1], everybody)
    found = {
        ROOT / "infra" / "compose" / "runtime.json": shown(compose),
        ROOT / "infra" / "compose" / "observer.json": shown(observing),
    }
    path = ROOT / "infra" / "prometheus" / "targets" / "desk.json"
    found[path] = as_json(target_groups(processes().values()))
    for layout, shards in LAYOUTS.items():
        folder = ROOT / "infra" / "k8s" / layout
        running = processes(shards)
        documents = yaml.safe_dump_all(agent_documents(running), sort_keys=False, width=100)
        note = "# Written by `make deployment` from infra/deployment.py; do not edit.\n"
        found[folder / "agents.yaml"] = note + documents
        found[folder / "runtime.json"] = shown(runtime("cluster", NATS_PODS, running.values()))
        found[folder / targets.FILE_NAME] = as_json(target_groups(running.values()))
    return found


def shown(facts: Runtime) -> str:
    return as_json(msgspec.to_builtins(facts))


def as_json(document: Any) -> str:
    return json.dumps(document, indent=2) + "\n"


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
