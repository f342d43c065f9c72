"""Goal: the C core is the same to clang, which the fuzz targets need, as to gcc."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path.relative_to(ROOT)
    for folder in ("src", "fuzz")
    for path in (ROOT / "native" / folder).glob("*.c")
)
FLAGS = [
    "-std=c11",
    "-O2",
    "-Werror",
    "-Wall",
    "-Wextra",
    "-Inative/include",
    "-Inative/src",
    "-fsyntax-only",
]


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_clang_takes_a_source_without_a_warning(source: Path) -> None:
    done = subprocess.run(
        ["clang", *FLAGS, str(source)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
