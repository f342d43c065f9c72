"""`make gate-oracle`: the gate in C against its oracle over as many orders as are asked for."""

import argparse
import collections
import sys

import numpy as np
from numpy.typing import NDArray

from native.engine import GATE_REASONS
from native.library import ffi, lib
from tests.differential.gate_columns import Columns, Orders
from tests.differential.gate_judge import judge

CHUNK = 200_000
NAMES = np.array(GATE_REASONS)


def gate(limits: Columns, state: Columns, order: Columns) -> NDArray[np.str_]:
    """Returns the C gate's verdict on every row."""
    tables = (
        ffi.from_buffer("hr_gate_limits[]", limits),
        ffi.from_buffer("hr_gate_state[]", state),
        ffi.from_buffer("hr_gate_order[]", order),
    )
    first, second, third = (ffi.cast(ffi.typeof(one).item.cname + " *", one) for one in tables)
    check = lib.hr_gate_check
    rows = range(len(order))
    reasons = [check(first + row, second + row, third + row) for row in rows]
    return NAMES[np.array(reasons)]


class Tally:
    """What became of the orders."""

    def __init__(self) -> None:
        self.verdicts: collections.Counter[str] = collections.Counter()
        self.wrong_accepts = 0
        self.wrong_rejects = 0
        self.wrong_reasons = 0

    def add(self, expected: NDArray[np.str_], actual: NDArray[np.str_]) -> None:
        names, counts = np.unique(expected, return_counts=True)
        self.verdicts.update(dict(zip(names.tolist(), counts.tolist(), strict=True)))
        self.wrong_accepts += int(((actual == "ok") & (expected != "ok")).sum())
        self.wrong_rejects += int(((actual != "ok") & (expected == "ok")).sum())
        both = (actual != "ok") & (expected != "ok")
        self.wrong_reasons += int((both & (actual != expected)).sum())


def run(orders: int, seed: int) -> Tally:
    tally = Tally()
    for start in range(0, orders, CHUNK):
        columns = Orders(seed + start // CHUNK, min(CHUNK, orders - start)).draw()
        tally.add(judge(*columns), gate(*columns))
    return tally


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    tally = run(given.orders, given.seed)
    out = [f"{name:<14} {count:>10,}" for name, count in tally.verdicts.most_common()]
    out.append(
        f"{given.orders:,} orders: {tally.wrong_accepts} wrong accepts,"
        f" {tally.wrong_rejects} wrong rejects, {tally.wrong_reasons} other reasons"
    )
    sys.stdout.write("\n".join(out) + "\n")
    return int(tally.wrong_accepts + tally.wrong_rejects + tally.wrong_reasons > 0)


if __name__ == "__main__":
    sys.exit(main())
