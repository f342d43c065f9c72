"""Where the recorded data lies: beside the repository or at HEDGEROW_DATA, and not everywhere."""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
FOLDER = Path(os.environ.get("HEDGEROW_DATA", BESIDE))


def recorded(path: str) -> Path:
    """Returns a recorded file's path; skips the test where the data is not there."""
    found = FOLDER / path
    if not found.exists():
        pytest.skip(f"recorded data is not at {FOLDER}")
    return found
