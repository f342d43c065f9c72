"""The C programs of the tick bench: compiled as the core is, run with priority where allowed."""

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from native.build_ffi import CFLAGS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "bench"
PRIORITY = 40  # real time, where permitted: others on the machine are not what is measured
TIMEOUT_S = 120.0
NS_PER_US = 1_000.0


class BenchError(RuntimeError):
    """A C program did not build or run; says why."""


def built(name: str, *, is_shared: bool = False) -> Path:
    """Compiles native/bench/NAME.c with the core's own flags; returns the program, or a shared
    object for Python to load."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    program = FOLDER / (f"{name}.so" if is_shared else name)
    sources = [f"native/bench/{name}.c", *sorted(map(str, ROOT.glob("native/src/*.c")))]
    read = (*ROOT.glob("native/*/*.[ch]"), ROOT / "native" / "build_ffi.py")
    newest = max(path.stat().st_mtime for path in read)
    if not program.exists() or program.stat().st_mtime < newest:
        folders = ["-Inative/include", "-Inative/src", "-Inative/tests"]
        shape = ["-shared", "-fPIC"] if is_shared else []
        argv = ["cc", *CFLAGS, *shape, *folders, *sources, "-o", str(program), "-lm", "-lpthread"]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(done.stderr.strip().splitlines()[0])
    return program


def run(argv: list[str], *, is_urgent: bool = True) -> dict[str, Any]:
    """Runs a program that prints one JSON line; returns it, with `ok` of its exit status."""
    environment = {**os.environ, "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}  # as FastPath's memory
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    if is_urgent:
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(process.pid, os.SCHED_FIFO, os.sched_param(PRIORITY))
    try:
        out, error = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise BenchError(f"{Path(argv[0]).name} did not end in {TIMEOUT_S:.0f} s") from None
    if not out.strip():
        raise BenchError(error.strip().splitlines()[-1] if error else "printed nothing")
    answer: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return {**answer, "ok": process.returncode == 0}


def samples_of(path: Path) -> NDArray[np.float64]:
    """Returns the samples of a file in microseconds."""
    return np.fromfile(path, dtype=np.int64).astype(np.float64) / NS_PER_US
