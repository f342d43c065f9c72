"""What is deployed: one row a service, and one for the watcher beside them. Images,
docker-compose.yml and infra/k8s follow it, and a contract test holds them to it. The next service
joins by adding a row."""

from dataclasses import dataclass
from pathlib import Path

from infra.topology import PER_UNDERLYING

ROOT = Path(__file__).parent.parent
USER_ID = 10_001  # of every process in every container
HTTP_PORT = 9100  # health, readiness and metrics of every agent
NATS_SERVERS = ("nats-1", "nats-2", "nats-3")  # of docker-compose.yml
NATS_PODS = tuple(f"nats-{number}.nats" for number in range(3))  # of infra/k8s


def dns_name(name: str) -> str:
    """Returns a name as compose and clusters take it: without underscores."""
    return name.replace("_", "-")


@dataclass(frozen=True)
class Row:
    """One process. `packages`: its set in infra/requirements, `quant` with the C core, `tools` for
    what runs from the tools' image. `planes`: its networks, beside the bus. `grace_s`: longer than
    an agent takes to drain."""

    service: str
    packages: str
    planes: tuple[str, ...]
    memory_mib: int
    cpus: float
    why: str  # of the image's size
    grace_s: int = 10
    holds_venue_secret: bool = False

    @property
    def dns_name(self) -> str:
        return dns_name(self.service)

    @property
    def is_per_underlying(self) -> bool:
        return self.service in PER_UNDERLYING

    @property
    def image(self) -> str:
        return "tools" if self.packages == "tools" else self.service

    @property
    def command(self) -> list[str]:
        """Returns what the image is told to run; a service's own image knows."""
        return ["-m", f"infra.{self.service}"] if self.packages == "tools" else []

    @property
    def lock_path(self) -> Path:
        return ROOT / "infra" / "requirements" / f"{self.packages}.lock"


NUMPY = "numpy and its OpenBLAS (70 MB) for"
TRACES = "aiohttp, uvloop, OpenTelemetry's messages (which want protobuf)"

ROWS = (
    Row("venue", "quant", ("market",), 768, 1.0, f"{NUMPY} paths, marks and books", 10, True),
    Row("gateway", "agent", ("market",), 384, 1.0, TRACES, 10, True),
    Row("pricing", "quant", (), 384, 1.0, f"{NUMPY} the surface's arrays"),
    Row("market_making", "quant", ("market",), 512, 2.0, f"{NUMPY} the path's records", 10, True),
    Row("hedging", "agent", (), 256, 0.5, TRACES),
    Row("execution", "agent", (), 256, 0.5, TRACES),
    Row("risk", "quant", (), 384, 1.0, f"{NUMPY} greeks and scenarios"),
    Row("ledger", "agent", (), 384, 1.0, TRACES),
)
# `hedgerow up` starts it beside the services; no service, and it may see them all.
WATCHER = Row("alerting", "tools", (), 256, 0.5, "as the tools")
# A person's commands: no service either. It keeps nothing and answers nobody.
OPERATOR = Row("operator", "tools", (), 256, 0.5, "as the tools")
OTHER_IMAGES = {
    "nats": "the base image and one program of 19 MB",
    "tools": "all services' code, cryptography and rich: streams, the watcher, people",
}
