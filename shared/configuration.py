"""One TOML for the desk, and the facts of one run.

`desk.toml` has a table per service (its core's `Config`) and `[desk]`. Unknown keys and values out
of range are refused with the key's name. `Runtime` is what `hedgerow up` decides at start (ports,
URLs) and hands to every process in one file. Where a process finds its own secrets it is told by
its environment: always a path, never the secret.
"""

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

C = TypeVar("C", bound=msgspec.Struct)
RUNTIME_VARIABLE = "HEDGEROW_RUNTIME"  # path of the run's runtime.json
SHARD_VARIABLE = "HEDGEROW_SHARD"  # the one underlying that this process is for; empty: all
# What one process alone is told: its shard, and paths of files; each is a field of Runtime.
PROCESS_VARIABLES = {
    SHARD_VARIABLE: "shard",
    "HEDGEROW_BUS_NKEY_FILE": "bus_seed_path",
    "HEDGEROW_BUS_CA_FILE": "bus_authority_path",
    "HEDGEROW_VENUE_SECRET_FILE": "venue_client_secret_path",
}


class ConfigurationError(ValueError):
    """The configuration cannot be used; the text names the key."""


class DeskConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[desk]`."""

    underlyings: Annotated[tuple[Literal["BTC", "ETH"], ...], Meta(min_length=1, max_length=2)] = (
        "BTC",
        "ETH",
    )
    venue: Literal["simulated", "deribit-test"] = "simulated"
    # http(s)://host:port; empty: no traces are exported
    otlp_endpoint: Annotated[str, Meta(pattern=r"^(https?://[^/\s]+(/\S*)?)?$")] = ""
    trace_ratio: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.01
    log_level: Literal["info", "warning", "error"] = "info"  # what is less is not written
    tells_vitals: bool = True  # every agent, what is judged of it, each second; else it is asked
    bus_security: bool = True  # a key for every process, TLS, and nothing that is not granted
    # Of the account's requests to the venue, how many this process may make.
    venue_share: Annotated[float, Meta(gt=0.0, le=1.0)] = 1.0

    def of_shard(self, shard: str) -> "DeskConfig":
        """Returns the part of one underlying. Raises ConfigurationError if the desk has none."""
        for name in self.underlyings:
            if name == shard:
                share = self.venue_share / len(self.underlyings)
                return msgspec.structs.replace(self, underlyings=(name,), venue_share=share)
        known = ", ".join(self.underlyings)
        raise ConfigurationError(f"{SHARD_VARIABLE}={shard}: the desk's underlyings are {known}")


class FeedAddress(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where one agent takes the venue's market data over UDP: two ports of a host, which the venue
    sends to and may know by name only. With `groups`, each is a multicast group to join on the
    address `host`, for both ports."""

    host: str
    event_port: int
    snapshot_port: int
    groups: tuple[str, ...] = ()
    underlyings: tuple[str, ...] = ()  # whose channels alone are sent there; empty: all


class Runtime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The facts of one run; written by the supervisor, read by every agent."""

    run_id: str
    directory: str  # the run's own folder: logs, journal, projection
    config_path: str  # empty: defaults
    nats_url: str  # of a cluster: all its servers, with commas between
    clock_offset_ns: int
    seed: int
    chain_path: str  # empty: a generated chain
    venue_ws_url: str
    venue_http_url: str
    venue_client_id: str
    venue_client_secret_path: str  # a file; empty for a process that holds no venue session
    http_ports: dict[str, int]  # instance -> health and metrics port; 0 or absent: any free port
    feeds: dict[str, FeedAddress] = {}  # instance -> where it takes the venue's datagrams
    venue_fix_url: str = ""  # tcp://host:port; empty: the venue opens no FIX port
    bus_seed_path: str = ""  # this process's nkey
    bus_authority_path: str = ""  # whose servers it believes; empty: the bus is open to everybody
    listen_host: str = "127.0.0.1"  # where the agents' ports and datagrams are taken
    stream_replicas: Annotated[int, Meta(ge=1, le=5)] = 1  # as many servers keep each stream
    shard: str = ""  # an underlying: this process is for it alone
    targets_path: str = ""  # a Prometheus discovery file of all agents; empty: in `directory`

    def instance(self, service: str) -> str:
        """Returns the name of this process among those of a service: `pricing-btc`."""
        return f"{service}-{self.shard.lower()}" if self.shard else service


def load_tables(path: str) -> dict[str, dict[str, Any]]:
    """Returns the tables of a desk.toml; an empty path has none."""
    if not path:
        return {}
    try:
        tables = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ConfigurationError(f"{path}: `{name}` stands outside any table")
    return tables


def section(tables: dict[str, dict[str, Any]], name: str, kind: type[C]) -> C:
    """Returns one validated table; absent keys take the defaults of `kind`."""
    try:
        return msgspec.convert(tables.get(name, {}), kind)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"[{name}]: {error}") from error


def read_runtime() -> Runtime:
    """Returns the run's facts from the file that the environment names, with this process's shard
    and the paths of its own secrets."""
    path = os.environ.get(RUNTIME_VARIABLE, "")
    if not path:
        raise ConfigurationError(f"{RUNTIME_VARIABLE} is not set: start agents with `hedgerow up`")
    try:
        facts = msgspec.json.decode(Path(path).read_bytes(), type=Runtime)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise ConfigurationError(f"{path}: {error}") from error
    own = {
        field: os.environ[variable]
        for variable, field in PROCESS_VARIABLES.items()
        if variable in os.environ
    }
    return msgspec.structs.replace(facts, **own)
