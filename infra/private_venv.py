"""Virtual environments for peers of the bench: made once under the state folder, pinned, and none
of the desk's own dependencies."""

import subprocess
import sys
import venv
from pathlib import Path

from infra import runs

INSTALL_S_MAX = 300.0


class NotInstalledError(RuntimeError):
    """The peer cannot be had here; the text says why."""


def python_with(requirement: str) -> Path:
    """Returns the interpreter of an environment that has a requirement such as `ray==2.60.0`.

    Raises NotInstalledError if it can be installed from no index here."""
    folder = runs.home() / "peers" / requirement.replace("==", "-")
    python = folder / "bin" / "python"
    done = folder / "installed"
    if done.exists():
        return python
    if not python.exists():
        venv.create(folder, with_pip=True)
    argv = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    argv += ["--only-binary", ":all:", "--retries", "1", requirement]
    try:
        outcome = subprocess.run(
            argv, capture_output=True, text=True, timeout=INSTALL_S_MAX, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NotInstalledError(f"pip install {requirement}: {INSTALL_S_MAX:.0f} s") from error
    if outcome.returncode:
        lines = outcome.stderr.strip().splitlines() or [f"exit code {outcome.returncode}"]
        raise NotInstalledError(
            f"pip install {requirement} (Python {sys.version_info.major}."
            f"{sys.version_info.minor}): {lines[-1]}"
        )
    done.touch()
    return python
