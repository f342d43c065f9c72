"""In the PYTHONPATH of a desk: its fast path's records can be left in their ring.

While `ring_held` is in HEDGEROW_HOME, nobody drains a path that quotes, and words that it must
refuse add to its records; `ring_full` says when it pulled for want of room."""

import os
import sys
import time
from pathlib import Path
from typing import Any

NOBODY = -1  # an underlying
WORDS = 64  # at a look

if "services.market_making" in sys.orig_argv:
    from native.path_records import PHASE_QUOTING, PULL_RECORDS
    from services.market_making.fast_edge import FastEdge

    HELD, FULL = (Path(os.environ["HEDGEROW_HOME"]) / f"ring_{name}" for name in ("held", "full"))
    take_records, on_stats = FastEdge._take_records, FastEdge._on_stats
    phases: set[int] = set()

    def take_unless_held(edge: FastEdge) -> None:
        if not HELD.exists():
            take_records(edge)
        elif phases != {PHASE_QUOTING} and not FULL.exists():
            take_records(edge)  # something else pulled: it quotes again
        elif not FULL.exists():
            for _ in range(WORDS):
                edge._path.release(NOBODY, 0)
            edge._path.wake()

    def see_phases(edge: FastEdge, stats: Any, now_ns: int) -> None:
        phases.clear()
        phases.update(one.phase for one in stats.underlyings)
        is_full = any(one.pull_reason == PULL_RECORDS for one in stats.underlyings)
        if is_full and HELD.exists() and not FULL.exists():
            full_s = time.monotonic() - (now_ns - stats.now_ns) / 1e9
            FULL.with_suffix(".new").write_text(str(full_s))
            FULL.with_suffix(".new").rename(FULL)
        on_stats(edge, stats, now_ns)

    FastEdge._take_records = take_unless_held  # type: ignore[method-assign]
    FastEdge._on_stats = see_phases  # type: ignore[assignment, method-assign]
