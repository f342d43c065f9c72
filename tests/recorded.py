"""Where the recorded data lies: beside the repository, and not everywhere."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data"


def recorded(path: str) -> Path:
    """Returns a recorded file's path; skips the test where the data is not there."""
    found = FOLDER / path
    if not found.exists():
        pytest.skip(f"recorded data is not at {FOLDER}")
    return found
