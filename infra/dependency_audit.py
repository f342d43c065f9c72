"""`make audit`: known vulnerabilities in what the lock files name.

    python -m infra.dependency_audit [--json FILE]

Asks the advisory sources that pip-audit knows (PyPI's, then OSV's). pip-audit ends with 0 when a
source knows none of the packages, as a mirror without advisories does: here a package that nobody
could speak for is one that was not checked, and is said to be. Exit codes: 0 all were checked and
are well; 1 a vulnerability; 2 something was not checked.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from infra.private_venv import NotInstalledError, python_with

ROOT = Path(__file__).resolve().parent.parent
LOCK_FILES = ("requirements.lock", "requirements-dev.lock")
PIP_AUDIT = "pip-audit==2.10.1"
SOURCES = ("pypi", "osv")
ASK_S_MAX = 300.0
EXIT_WELL, EXIT_VULNERABLE, EXIT_NOT_CHECKED = 0, 1, 2


@dataclass
class Audit:
    """What is known of one lock file's packages."""

    lock_file: str
    checked: list[str] = field(default_factory=list)
    vulnerable: dict[str, list[str]] = field(default_factory=dict)  # package -> advisories
    unchecked: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)  # why a source could not be asked

    @property
    def exit_code(self) -> int:
        if self.vulnerable:
            return EXIT_VULNERABLE
        return EXIT_NOT_CHECKED if self.unchecked or not self.checked else EXIT_WELL


def named_in(path: Path) -> list[str]:
    """Returns the packages of a lock file, as `name==version`."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if "==" in line and line[0].isalnum()]


def read(lock_file: str, answer: dict[str, Any] | None, reason: str, named: list[str]) -> Audit:
    """Returns what an answer of pip-audit says of the packages that were asked about."""
    audit = Audit(lock_file, reasons=[reason] if reason else [])
    told = {one["name"].lower(): one for one in (answer or {}).get("dependencies", ())}
    for package in named:
        one = told.get(package.partition("==")[0].lower())
        if one is None or "skip_reason" in one:
            audit.unchecked.append(package)
            continue
        audit.checked.append(package)
        if one["vulns"]:
            audit.vulnerable[package] = [vulnerability["id"] for vulnerability in one["vulns"]]
    return audit


def ask(python: Path, lock_file: str, source: str) -> tuple[dict[str, Any] | None, str]:
    """Returns pip-audit's answer, or why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.json"
        argv = [str(python), "-m", "pip_audit", "--requirement", str(ROOT / lock_file)]
        argv += ["--disable-pip", "--require-hashes", "--progress-spinner", "off"]
        argv += ["--vulnerability-service", source, "--format", "json", "--output", str(path)]
        try:
            done = subprocess.run(
                argv, capture_output=True, text=True, timeout=ASK_S_MAX, check=False
            )
        except subprocess.TimeoutExpired:
            return None, f"{source}: no answer in {ASK_S_MAX:.0f} s"
        if not path.exists() or not path.read_bytes():
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            return None, f"{source}: {lines[-1]}"
        answer: dict[str, Any] = json.loads(path.read_bytes())
        return answer, ""


def audit_file(python: Path, lock_file: str) -> Audit:
    """Asks one source after another about what no one before could speak for."""
    left = named_in(ROOT / lock_file)
    found = Audit(lock_file)
    for source in SOURCES:
        if not left:
            break
        one = read(lock_file, *ask(python, lock_file, source), left)
        found.checked += one.checked
        found.vulnerable |= one.vulnerable
        found.reasons += one.reasons or (
            [f"{source}: knows nothing of {len(one.unchecked)} packages"] if one.unchecked else []
        )
        left = one.unchecked
    found.unchecked = left
    return found


def show(audit: Audit) -> None:
    print(f"{audit.lock_file}: {len(audit.checked)} packages checked, "
          f"{len(audit.vulnerable)} vulnerable, {len(audit.unchecked)} not checked")  # fmt: skip
    for package, advisories in audit.vulnerable.items():
        print(f"  {package}: {', '.join(advisories)}")
    for reason in audit.reasons:
        print(f"  {reason}")
    if audit.unchecked:
        print(f"  not checked: {', '.join(audit.unchecked)}")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="infra.dependency_audit",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", metavar="FILE", help="also write what was found here")
    given = parser.parse_args()
    try:
        python = python_with(PIP_AUDIT)
    except NotInstalledError as error:
        print(f"NOT CHECKED: {error}")
        return EXIT_NOT_CHECKED
    audits = [audit_file(python, lock_file) for lock_file in LOCK_FILES]
    for audit in audits:
        show(audit)
    if given.json:
        Path(given.json).write_text(json.dumps([asdict(one) for one in audits], indent=1) + "\n")
    codes = {audit.exit_code for audit in audits}
    if EXIT_VULNERABLE in codes:
        return EXIT_VULNERABLE
    if EXIT_NOT_CHECKED in codes:
        print("NOT CHECKED: no advisory source spoke for every package; ask again from where one "
              "can be reached")  # fmt: skip
        return EXIT_NOT_CHECKED
    return EXIT_WELL


if __name__ == "__main__":
    sys.exit(main())
