"""Breaks the gate's C in one place at a time; each broken gate must be noticed.

`make mutate-gate` compiles every mutant of native/src/hr_gate*.c alone and holds it against orders
that the oracle has judged, biased to boundaries, and then against the gate's own C tests. A mutant
that nothing notices is printed and fails the run, unless EQUIVALENT says why it is no change.
"""

import collections
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from native.engine import GATE_REASONS
from native.library import ffi
from tests.differential.gate_oracle import verdict
from tests.differential.test_gate import limits_of, order_of, state_of

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "native" / "src").glob("hr_gate*.c"))
C_TESTS = sorted((ROOT / "native" / "tests").glob("test_gate*.c"))
CASES = ROOT / "native" / "tests" / "gate_cases.c"
CASE_COUNT = 60_000
FOLDERS = (f"-I{ROOT}/native/include", f"-I{ROOT}/native/src")  # a mutant lies elsewhere
COMPILER = ("gcc", "-std=c11", "-O1", "-w", *FOLDERS)
RUN_S_MAX = 20


Fields = dict[str, Any]


class Mutant(NamedTuple):
    source: Path
    line: int
    kind: str
    before: str  # of the line
    after: str
    text: str  # of the whole file


SWAPS = {
    "relation": {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
    "direction": {"<": ">", ">": "<", "<=": ">=", ">=": "<="},
    "logic": {"&&": "||", "||": "&&"},
    "arithmetic": {" + ": " - ", " - ": " + ", " * ": " / "},
}
OPERATORS = {
    "relation": r"(?<![<>=!-])(<=|>=|==|!=|<|>)(?![<>=])",
    "direction": r"(?<![<>=!-])(<=|>=|<|>)(?![<>=])",
    "logic": r"(&&|\|\|)",
    "arithmetic": r"( [+*-] )",
}

REMOVED = {
    "negation": r"!(?=\(|is_|has_|hr_)",
    "sign": r"(?<=[?:(=] )-(?=\w)|(?<=\()-(?=\w)",
}

# (piece of the line, kind of change, what it becomes): why no order can tell the difference.
EQUIVALENT = {
    ("price <= own)", "relation", "own >= 0"): "a price on the grid is above 0",
    ("price <= market)", "relation", "market >= 0"): "a price on the grid is above 0",
    ("by_vol > limits->collar_coin", "relation", ">="): "both are the same number there",
    ("change > 0.0", "relation", ">="): "no change has returned before",
    ("after < 0 ? -after", "relation", "<="): "0 is its own negative",
    ("after < 0 ? -after", "constant", "after < 1"): "0 is its own negative",
    ("position_lots < 0 ? -order", "relation", "<="): "0 is its own negative",
    ("position_lots < 0 ? -order", "constant", "< 1"): "0 is its own negative",
    ("position_lots > 0) !=", "relation", ">= 0"): "from 0 no amount reduces",
    ("? requests : rates->requests_burst", "relation", "<="): "the same number at the bound",
    ("? quotes : rates->quotes_burst", "relation", "<="): "the same number at the bound",
    ("more < burst ? more : burst", "relation", "<="): "the same number at the bound",
    ("now_ns > budget->refilled_ns", "relation", "now_ns >="): "no time refills nothing",
    ("live_lots = lots > 0 ? lots : 0", "relation", ">="): "the same number at the bound",
    ("lots < left ? lots", "relation", "<="): "the same number at the bound",
    ("- 1 < RESET_DOUBLINGS_MAX", "relation", "<="): "the same number at the bound",
    ("- 1 < RESET_DOUBLINGS_MAX", "constant", "- 2 < RESET"): "the same number at the bound",
}
INTEGER_LIMITS = (
    "quote_lots_max", "position_lots_max", "surface_age_ns_max", "tick_age_ns_max",
    "executions_max", "executions_ns", "drift_ns",
)  # fmt: skip
GREEKS = (
    ("delta_coin", "delta_coin_max", ("delta_up_in_flight_coin", "delta_down_in_flight_coin")),
    ("vega_usd", "vega_usd_max", ("vega_up_in_flight_usd", "vega_down_in_flight_usd")),
    (
        "gamma_coin_per_usd",
        "gamma_coin_per_usd_max",
        ("gamma_up_in_flight", "gamma_down_in_flight"),
    ),
)
TIMES = ("surface_ns", "tick_ns", "lease_expires_ns", "frozen_until_ns")


def code_lines(text: str) -> list[tuple[int, str]]:
    """Returns the lines that hold logic: no comments, includes, tables of names or signatures."""
    blank = re.sub(
        r"/\*.*?\*/", lambda found: re.sub(r"[^\n]", " ", found[0]), text, flags=re.DOTALL
    )
    lines = []
    for number, line in enumerate(blank.split("\n")):
        is_logic = not line.startswith(("#include", "int", "static ", "hr_status", "const", "void"))
        if is_logic and line.strip() and '"' not in line and "const hr_gate" not in line:
            lines.append((number, line.rstrip()))
    return lines


def changes_of(line: str) -> list[tuple[str, str]]:
    """Returns (kind, changed line) for every single change of a line."""
    found: list[tuple[str, str]] = []
    for kind, pattern in OPERATORS.items():
        for match in re.finditer(pattern, line):
            new = SWAPS[kind].get(match[1])
            if new is not None:
                found.append((kind, line[: match.start(1)] + new + line[match.end(1) :]))
    for match in re.finditer(r"(?<![\w.])(\d+)(?:\.0)?(?![\w.])", line):
        new = str(int(match[1]) + 1)
        found.append(("constant", line[: match.start(1)] + new + line[match.end(1) :]))
    if match := re.match(r"(\s*(?:\} else )?if \().*(\) \{)$", line):
        found.append(("condition", f"{match[1]}0{match[2]}"))
        found.append(("condition", f"{match[1]}1{match[2]}"))
    if match := re.match(r"(\s*return )(HR_GATE_(?!OK)\w+|HR_ERR_\w+);$", line):
        found.append(("control", f"{match[1]}0;"))
    for kind, pattern in REMOVED.items():
        found += [
            (kind, line[: at.start()] + line[at.end() :]) for at in re.finditer(pattern, line)
        ]
    for match in re.finditer(r"(is_positive|isfinite|fabs)\(", line):
        inner = "1 + 0 * isnan" if match[1] != "fabs" else ""
        found.append(("call", line[: match.start()] + inner + line[match.end() - 1 :]))
    if match := re.match(r"(\s+[\w>.-]+)(\+\+| [+-]?= .*);$", line):
        found.append(("statement", f"{match[1]};"))
    if match := re.match(r"\s+hr_gate_\w+\(.*\);$|\s+refill\(.*\);$", line):
        found.append(("statement", ""))
    return found


def mutants() -> list[Mutant]:
    found = []
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        lines = text.split("\n")
        for number, line in code_lines(text):
            for kind, after in changes_of(line):
                changed = [*lines[:number], after, *lines[number + 1 :]]
                found.append(
                    Mutant(
                        source, number + 1, kind, line.strip(), after.strip(), "\n".join(changed)
                    )
                )
    return found


def sharpened(source: random.Random, limits: Fields, state: Fields, order: Fields) -> None:
    """Moves some orders to corners that the oracle's own test visits too seldom or never."""
    corner = source.randrange(24)
    if corner == 0:
        limits[source.choice(INTEGER_LIMITS)] = 1
    elif corner == 1:  # the beginning of time
        now_ns = source.choice((0, 1, 2, 10**9))
        for name in TIMES:
            state[name] = max(0, state[name] - state["now_ns"] + now_ns)
        state["now_ns"] = now_ns
        state[source.choice(TIMES)] = source.choice((0, 1, 2))
    elif corner == 2:
        order["step_above_ticks"] = source.choice((1, 2))
    elif corner == 3:
        name = source.choice(("price_ticks", "amount_lots", "position_lots"))
        order[name] = source.choice((-1, 1)) * (10**12 + source.choice((0, 1)))
    elif corner < 6:
        order["position_lots"], order["amount_lots"] = source.choice((-1, 1, 2)), 1
    elif corner < 8:  # through 0 to the same size on the other side
        lots = source.randrange(1, limits["quote_lots_max"] // 2 + 2)
        order["position_lots"], order["amount_lots"] = source.choice((-1, 1)) * lots, 2 * lots
        limits["position_lots_max"] = source.choice((lots - 1, lots, lots + 1, 1000))
    elif corner < 10:  # exactly up to the bound of a greek, with nothing else
        _up_to_a_bound(source, limits, state, order)


def _up_to_a_bound(source: random.Random, limits: Fields, state: Fields, order: Fields) -> None:
    greek, bound, flights = source.choice(GREEKS)
    state[greek], order["lot_coin"], order["amount_lots"] = 0.0, 1.0, 4
    order[greek] = source.choice((-1, 1)) * limits[bound] / 4
    for flight in flights:
        state[flight] = 0.0


def write_cases(path: Path, count: int) -> None:
    """Writes orders with the oracle's verdicts as gate_cases reads them."""
    source = random.Random(20)
    blocks = [ffi.new(f"hr_gate_{name} *") for name in ("limits", "state", "order")]
    with path.open("wb") as file:
        for _ in range(count):
            limits = limits_of(source)
            state = state_of(source, limits)
            order = order_of(source, limits, state)
            sharpened(source, limits, state, order)
            for block, fields in zip(blocks, (limits, state, order), strict=True):
                for name, value in fields.items():
                    setattr(block, name, value)
                file.write(bytes(ffi.buffer(block)))
            reason = GATE_REASONS.index(verdict(limits, state, order))
            file.write(reason.to_bytes(8, "little"))


def is_noticed(driver: Path, folder: Path, sources: list[Path], arguments: list[str]) -> str:
    """Returns "" where a gate of these sources passes a driver, else how it was noticed."""
    program = folder / "mutant"
    build = [*COMPILER, str(driver), *map(str, sources), "-lm", "-o", str(program)]
    if subprocess.run(build, capture_output=True, check=False).returncode != 0:
        return "does not compile"
    try:
        run = subprocess.run(
            [str(program), *arguments], capture_output=True, check=False, timeout=RUN_S_MAX
        )
    except subprocess.TimeoutExpired:
        return "hangs"
    return driver.stem if run.returncode != 0 else ""


def notice(mutant: Mutant | None, folder: Path, cases: Path) -> str:
    """Returns which driver notices a mutant, or "" if none does."""
    sources = list(SOURCES)
    if mutant is not None:
        changed = folder / mutant.source.name
        changed.write_text(mutant.text, encoding="utf-8")
        sources = [changed if path == mutant.source else path for path in sources]
    for driver in drivers(mutant):
        how = is_noticed(driver, folder, sources, [str(cases)] if driver == CASES else [])
        if how:
            return how
    return ""


def drivers(mutant: Mutant | None) -> list[Path]:
    """Returns what may notice a mutant, the likeliest first; without one, everything."""
    if mutant is None:
        return [CASES, *C_TESTS]
    name = mutant.source.stem.removeprefix("hr_")
    own = [path for path in C_TESTS if path.stem == f"test_{name}"]
    return [CASES, *own] if name == "gate" else own or C_TESTS


def why_equivalent(mutant: Mutant) -> str:
    for (piece, kind, after), why in EQUIVALENT.items():
        if piece in mutant.before and kind == mutant.kind and after in mutant.after:
            return why
    return ""


def report(tally: collections.Counter[tuple[str, str]], alive: list[Mutant]) -> str:
    """Returns the table of what noticed which kind of change, and what nothing noticed."""
    rows = ["change        mutants  by oracle  by C tests  equivalent  alive"]
    for kind in sorted({kind for kind, _ in tally}):
        hows = {how: count for (of, how), count in tally.items() if of == kind}
        oracle, none = hows.pop(CASES.stem, 0), hows.pop("", 0)
        equivalent, tests = hows.pop("equivalent", 0), sum(hows.values())
        total = oracle + tests + equivalent + none
        rows.append(f"{kind:12} {total:8} {oracle:10} {tests:11} {equivalent:11} {none:6}")
    rows.append(f"{sum(tally.values())} mutants, {len(alive)} alive")
    for one in alive:
        rows.append(f"{one.source.name}:{one.line}: {one.kind}: {one.before}")
        rows.append(f"    {one.after}")
    return "\n".join(rows) + "\n"


def main() -> int:
    tally: collections.Counter[tuple[str, str]] = collections.Counter()
    alive = []
    judged = set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = folder / "cases.bin"
        write_cases(cases, CASE_COUNT)
        assert notice(None, folder, cases) == "", "the gate as it is does not pass its own tests"
        for mutant in mutants():
            how = "equivalent" if why_equivalent(mutant) else notice(mutant, folder, cases)
            if how != "does not compile":
                tally[mutant.kind, how] += 1
                judged.add(mutant.source)
            if how == "":
                alive.append(mutant)
    assert judged == set(SOURCES), "a file whose mutants never compile is not tested"
    sys.stdout.write(report(tally, alive))
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
