"""What is wrong at the moment, in one file: actions write it, proxies and the shim obey it.

The file is JSON in the desk's home. A wire is `bus.<service>`, `venue_ws.<service>`,
`venue_fix.<service>` or `feed`.
"""

import os
import struct
from pathlib import Path

import msgspec

HOME_VARIABLE = "HEDGEROW_HOME"
SHIM = struct.Struct("<qqq")


class WireFault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`is_cut`: connections end and none is taken. `is_dead`: bytes vanish, nothing ends.
    Shares are of whole messages of lossy subjects, or of datagrams."""

    is_cut: bool = False
    is_dead: bool = False
    delay_ms: int = 0
    drop_share: float = 0.0
    double_share: float = 0.0
    swap_share: float = 0.0


class Faults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    wires: dict[str, WireFault] = {}

    def of(self, wire: str) -> WireFault:
        """Returns the fault of a wire; one named `bus.*` is that of every service's."""
        kind = wire.partition(".")[0]
        return self.wires.get(wire) or self.wires.get(f"{kind}.*") or NO_FAULT


NO_FAULT = WireFault()


def home() -> Path:
    """Returns the folder of the desk that is being tried."""
    return Path(os.environ[HOME_VARIABLE])


def write(faults: Faults) -> None:
    path = home() / "faults.json"
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(faults))
    fresh.replace(path)


def read() -> Faults:
    try:
        return msgspec.json.decode((home() / "faults.json").read_bytes(), type=Faults)
    except FileNotFoundError:
        return Faults()


def shim_path(service: str) -> Path:
    return home() / f"{service}.shim"


def tell_shim(
    service: str, *, clock_offset_ns: int = 0, fsync_delay_us: int = 0, write_errno: int = 0
) -> None:
    """Has a service's clock, disk or room be wrong from now on."""
    with shim_path(service).open("r+b") as file:
        file.write(SHIM.pack(clock_offset_ns, fsync_delay_us, write_errno))
