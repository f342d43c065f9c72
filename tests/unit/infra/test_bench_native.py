"""Goal: what Python calls of a bench's C program is there to be called."""

import ctypes
import re

import pytest

from infra.bench.native import ROOT, built


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    return ctypes.CDLL(str(built("bench_cost", is_shared=True)))


def test_the_cost_bench_shows_every_function_to_python(library: ctypes.CDLL) -> None:
    source = (ROOT / "native" / "bench" / "bench_cost.c").read_text("utf-8")
    names = re.findall(r"\bbench_cost_\w+(?=\()", source)
    assert len(names) > 5
    assert all(hasattr(library, name) for name in names)
