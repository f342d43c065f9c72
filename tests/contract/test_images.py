"""What the images promise, as far as their files say it; tests/system asks running containers."""

import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from infra.deployment import OTHER_IMAGES, ROOT, ROWS, USER_ID
from infra.topology import SERVICES

DOCKERFILE = (ROOT / "infra" / "Dockerfile").read_text(encoding="utf-8")
REQUIREMENTS = ROOT / "infra" / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.lock"))
ALONE = ROOT / "tests" / "contract" / "imports_alone.py"
FINAL_STAGES = {"service", *OTHER_IMAGES}


def instructions(text):
    """Yields each instruction with its continued lines joined."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield line.strip()


def stages(text):
    """Returns the instructions of each stage by its name; those before the first under ''."""
    found, name = {"": []}, ""
    for instruction in instructions(text):
        if instruction.startswith("FROM "):
            name = instruction.split()[-1]
            found[name] = []
        found[name].append(instruction)
    return found


def faults(text):
    """Yields what is wrong with a Dockerfile, in words."""
    by_stage = stages(text)
    arguments = dict(
        line.removeprefix("ARG ").split("=", 1) for line in by_stage[""] if "=" in line
    )
    for line in instructions(text):
        keyword, _, rest = line.partition(" ")
        if keyword == "FROM":
            base = rest.split()[0]
            value = arguments.get(base.strip("${}"), "") if base.startswith("$") else base
            if base not in by_stage and not re.search(r"@sha256:[0-9a-f]{64}$", value):
                yield f"{base} is not a base by digest"
        if keyword in {"ENTRYPOINT", "CMD"} and not rest.startswith("["):
            yield f"{keyword} is not in exec form"
        if keyword == "HEALTHCHECK" and "CMD [" not in rest:
            yield "HEALTHCHECK is not in exec form"
        if keyword == "ADD":
            yield "ADD fetches and unpacks: COPY"
        if re.search(r":latest\b", line):
            yield "latest is no version"
        if keyword == "RUN" and re.search(r"\bpip .*(install|wheel)", rest):
            for part in rest.split("&&"):
                from_registry = re.search(r"\bpip .*(install|wheel)\b", part)
                if from_registry and not re.search(r"--require-hashes|--no-index", part):
                    yield f"pip without hashes: {part.strip()}"
        if "apt-get install" in rest and not (
            "--no-install-recommends" in rest and "rm -rf /var/lib/apt/lists" in rest
        ):
            yield "apt leaves more than was asked for"
    for name in FINAL_STAGES & by_stage.keys():
        users = [line.split()[1] for line in by_stage[name] if line.startswith("USER ")]
        if not users or not all(int(user.split(":")[0]) >= 10_000 for user in users):
            yield f"{name} runs as {users or 'root'}"


def test_the_dockerfile_keeps_the_rules():
    assert list(faults(DOCKERFILE)) == []
    by_stage = stages(DOCKERFILE)
    assert by_stage.keys() >= FINAL_STAGES
    for name in ("service", "nats"):
        assert any(line.startswith("HEALTHCHECK") for line in by_stage[name])
        assert any(line.startswith("USER 10001:10001") for line in by_stage[name])
    assert USER_ID == 10_001
    labels = " ".join(by_stage["base"])
    for label in ("title", "licenses", "version", "revision", "base.name"):
        assert f"org.opencontainers.image.{label}=" in labels


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        (r"@sha256:[0-9a-f]{64}", "", "not a base by digest"),
        (r'ENTRYPOINT \["/app/agent"\]', "ENTRYPOINT /app/agent", "not in exec form"),
        (r"USER 10001:10001", "USER 0:0", "runs as"),
        (r"COPY shared", "ADD shared", "ADD fetches"),
        (r"--require-hashes", "", "pip without hashes"),
        (r"FROM base AS nats", "FROM nats:latest AS nats", "latest is no version"),
        (r"--no-install-recommends", "", "apt leaves"),
    ],
)
def test_a_dockerfile_that_breaks_a_rule_is_noticed(before, after, fault):
    broken = re.sub(before, after, DOCKERFILE)
    assert broken != DOCKERFILE
    assert any(fault in found for found in faults(broken))


def test_every_service_has_a_row_and_every_row_a_set():
    assert [row.service for row in ROWS] == list(SERVICES)
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    sets = {row.packages for row in ROWS} | set(OTHER_IMAGES) | {"build"}
    assert sets == groups["dependency-groups"].keys() == {path.stem for path in LOCKS}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_set_is_pinned_as_the_desk_is(path):
    text = path.read_text(encoding="utf-8")
    assert "://" not in text
    pins = re.findall(r"^([a-z0-9-]+(?:\[[a-z]+\])?==\S+)", text, re.MULTILINE)
    desk = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for pin in pins:
        assert re.search(rf"^{re.escape(pin)}\b", desk, re.MULTILINE), pin
    blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(pins)
    assert all("--hash=sha256:" in block for block in blocks)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.service)
def test_a_service_needs_nothing_but_what_its_image_holds(row, tmp_path):
    (tmp_path / "services").mkdir()
    shutil.copy(ROOT / "services" / "__init__.py", tmp_path / "services")
    folders = [
        "shared",
        f"services/{row.service}",
        *(["native"] if row.packages == "quant" else []),
    ]
    for folder in folders:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("*.c"))
    done = subprocess.run(
        [sys.executable, "-I", str(ALONE), str(tmp_path), row.service, str(row.lock_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    # And its set holds nothing that it could do without.
    assert ("numpy" in done.stdout.split()) == (row.packages == "quant")


def test_a_service_without_its_packages_is_noticed(tmp_path):
    (tmp_path / "services").mkdir()
    shutil.copy(ROOT / "services" / "__init__.py", tmp_path / "services")
    for folder in ("shared", "services/pricing"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    lock = str(REQUIREMENTS / "agent.lock")
    done = subprocess.run(
        [sys.executable, "-I", str(ALONE), str(tmp_path), "pricing", lock],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "not in the" in done.stderr
