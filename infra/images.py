"""Builds the images and says what each weighs, and why: `make images`.

    python -m infra.images [--only NAME]... [--python-image NAME]

A machine that reaches no image registry builds on a stand-in of the base: --python-image.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from infra.deployment import OTHER_IMAGES, ROOT, ROWS

MB = 1_000_000


def plans() -> Iterator[tuple[str, str, dict[str, str], str]]:
    """Yields name, target, build arguments and reason of each image."""
    for row in ROWS:
        arguments = {"SERVICE": row.service, "PACKAGES": row.packages}
        yield row.service, "service", arguments, row.why
    for name, why in OTHER_IMAGES.items():
        yield name, name, {"PACKAGES": name}, why


def build(name: str, target: str, arguments: dict[str, str]) -> None:
    """Builds one image. Raises CalledProcessError with docker's own words above."""
    given = [part for key, value in arguments.items() for part in ("--build-arg", f"{key}={value}")]
    subprocess.run(
        ["docker", "build", "--quiet", "--file", "infra/Dockerfile", "--target", target, *given,
         "--tag", tag_of(name), "."],
        cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
        env={"DOCKER_BUILDKIT": "0", **os.environ},
    )  # fmt: skip


def tag_of(name: str) -> str:
    return f"hedgerow/{name}:{os.environ.get('HEDGEROW_TAG', 'dev')}"


def inspect(image: str) -> dict[str, Any]:
    done = subprocess.run(
        ["docker", "image", "inspect", image], capture_output=True, text=True, check=True
    )
    facts: dict[str, Any] = json.loads(done.stdout)[0]
    return facts


def base_image() -> str:
    """Returns the base that the Dockerfile names."""
    for line in (ROOT / "infra" / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("ARG PYTHON_IMAGE="):
            return line.partition("=")[2]
    raise AssertionError("the Dockerfile names no base")


def revision() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="infra.images", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--python-image", default="", metavar="NAME")
    given = parser.parse_args()
    base = given.python_image or base_image()
    shared = {"PYTHON_IMAGE": base, "REVISION": revision()}
    table = Table(title=f"on {base}", title_justify="left")
    for column in ("image", "MB", "of them its own", "for"):
        table.add_column(column, justify="left" if column in {"image", "for"} else "right")
    for name, target, arguments, why in plans():
        if given.only and name not in given.only:
            continue
        build(name, target, {**arguments, **shared})
        size, base_size = inspect(tag_of(name))["Size"], inspect(base)["Size"]
        table.add_row(tag_of(name), f"{size / MB:.0f}", f"{(size - base_size) / MB:.0f}", why)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
