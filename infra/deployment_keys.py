"""Writes the secrets of a deployment, as files: `make secrets`.

    python -m infra.deployment_keys [DIR] [--shards] [--authority FOLDER]
                                    [--renew | --change trust|sign|forget]

DIR (var/compose) gets what `python -m infra.permissions render` writes, for the three servers and
the user that containers run under, and venue.secret, a fresh one for the simulated venue. What is
there stays: delete a file to have a new one. The authority, with its key, is in FOLDER
(DIR-authority), which no container may see.

--renew has the authority sign a new certificate. --change has another authority in three steps:
`trust` makes it and trusts both, `sign` has it sign, `forget` trusts it alone. After each of them
the servers read their files again (README, Kept in order); agents read theirs when they connect.

Containers run as user 10001 and can read nobody else's private files, so this must run as root (or
as that user).
"""

import argparse
import os
import secrets
import sys
from pathlib import Path

from infra import bus_keys, permissions
from infra.bus_authority import CURRENT, AuthorityError
from infra.deployment import NATS_PODS, NATS_SERVERS, ROOT, USER_ID

MOUNTED_AT = "/etc/nats/security"  # where infra/nats/cluster.conf looks
DEFAULT = ROOT / "var" / "compose"


def write(directory: Path, kept_in: Path, *, is_sharded: bool) -> list[Path]:
    """Writes what is missing and gives all of it to the containers' user; returns the files.

    Raises PermissionError where that user's files cannot be made, and AuthorityError."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    granted = permissions.all_grants(permissions.roles_of("", is_sharded=is_sharded))
    servers = (*NATS_SERVERS, *NATS_PODS)
    permissions.render(directory, granted, servers, MOUNTED_AT, USER_ID, kept_in)
    venue = directory / "venue.secret"
    if not venue.exists():
        venue.touch(mode=0o600)
        venue.write_text(secrets.token_urlsafe(24), encoding="utf-8")
    written = [directory, *sorted(directory.rglob("*"))]
    for path in written:
        os.chown(path, USER_ID, USER_ID)
        path.chmod(0o700 if path.is_dir() else 0o600)
    return [path for path in written if path.is_file()]


def authority_folder(directory: Path) -> Path:
    """Returns where the authority of a deployment is kept, if nobody says otherwise."""
    return directory.with_name(f"{directory.name}-authority")


def change(directory: Path, kept_in: Path, step: str) -> None:
    """Takes one step on the certificates that are there. Raises AuthorityError if it cannot."""
    nats = directory / "nats"
    if not (nats / bus_keys.CERTIFICATE).exists():
        raise AuthorityError(f"there is no certificate in {nats}")
    if step == "renew":
        bus_keys.renew(nats, kept_in, USER_ID)
    elif step == "trust":
        bus_keys.trust_next(nats, kept_in, USER_ID)
    elif step == "sign":
        bus_keys.sign_by_next(nats, kept_in, USER_ID)
    else:
        bus_keys.forget_last(nats, kept_in, USER_ID)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="infra.deployment_keys",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("directory", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--shards", action="store_true")
    parser.add_argument("--authority", type=Path, metavar="FOLDER", help="default: DIR-authority")
    step = parser.add_mutually_exclusive_group()
    step.add_argument("--renew", action="store_const", const="renew", dest="step")
    step.add_argument("--change", choices=("trust", "sign", "forget"), dest="step")
    given = parser.parse_args(argv)
    os.umask(0o077)
    directory = given.directory.resolve()
    kept_in = (given.authority or authority_folder(directory)).resolve()
    if kept_in.is_relative_to(directory):
        parser.error(f"{kept_in} is in {directory}, which containers see")
    try:
        if given.step:
            change(directory, kept_in, given.step)
        written = write(directory, kept_in, is_sharded=given.shards)
    except (PermissionError, AuthorityError) as error:
        is_of_root = isinstance(error, PermissionError)
        print(f"hedgerow: {error}{'; run this as root' if is_of_root else ''}", file=sys.stderr)
        return 1
    print(f"{len(written)} files in {directory}, for user {USER_ID} alone")
    say_until(directory / "nats", kept_in)
    return 0


def say_until(certificates: Path, kept_in: Path) -> None:
    """Prints when the certificate ends, whom the desk trusts, and where the authority is."""
    print(f"the bus's certificate is good until {bus_keys.good_until(certificates):%Y-%m-%d}")
    for one in bus_keys.trusted_in(certificates):
        name, end = one.subject.rfc4514_string(), one.not_valid_after_utc
        print(f"trusted is {name}, until {end:%Y-%m-%d}")
    if (kept_in / CURRENT).exists():
        print(f"the authority is in {kept_in}: it makes servers that every agent trusts")
    else:
        print(f"no authority is in {kept_in}: nothing can be renewed without")


if __name__ == "__main__":
    sys.exit(main())
