"""Writes the secrets of a deployment, as files: `make secrets`.

    python -m infra.deployment_keys [DIR] [--shards] [--renew]

DIR (var/compose) gets what `python -m infra.permissions render` writes, for the three servers and
the user that containers run under, and venue.secret, a fresh one for the simulated venue. What is
there stays: delete a file to have a new one; --renew has a new authority and certificate, which
every server and agent has to be started again for. Containers run as user 10001 and can read nobody
else's private files, so this must run as root (or as that user).
"""

import argparse
import os
import secrets
import sys
from pathlib import Path

from infra import bus_keys, permissions
from infra.deployment import NATS_PODS, NATS_SERVERS, ROOT, USER_ID

MOUNTED_AT = "/etc/nats/security"  # where infra/nats/cluster.conf looks
DEFAULT = ROOT / "var" / "compose"


def write(directory: Path, *, is_sharded: bool) -> list[Path]:
    """Writes what is missing and gives all of it to the containers' user; returns the files.

    Raises PermissionError where that user's files cannot be made."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    granted = permissions.all_grants(permissions.roles_of("", is_sharded=is_sharded))
    permissions.render(directory, granted, (*NATS_SERVERS, *NATS_PODS), MOUNTED_AT, USER_ID)
    venue = directory / "venue.secret"
    if not venue.exists():
        venue.touch(mode=0o600)
        venue.write_text(secrets.token_urlsafe(24), encoding="utf-8")
    written = [directory, *sorted(directory.rglob("*"))]
    for path in written:
        os.chown(path, USER_ID, USER_ID)
        path.chmod(0o700 if path.is_dir() else 0o600)
    return [path for path in written if path.is_file()]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="infra.deployment_keys",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("directory", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--shards", action="store_true")
    parser.add_argument("--renew", action="store_true", help="a new authority and certificate")
    given = parser.parse_args()
    os.umask(0o077)
    certificates = given.directory / "nats"
    try:
        if given.renew:
            bus_keys.remove_certificates(certificates)
        written = write(given.directory, is_sharded=given.shards)
    except PermissionError as error:
        print(f"hedgerow: {error}; run this as root", file=sys.stderr)
        return 1
    print(f"{len(written)} files in {given.directory}, for user {USER_ID} alone")
    print(f"the bus's certificate is good until {bus_keys.good_until(certificates):%Y-%m-%d}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
