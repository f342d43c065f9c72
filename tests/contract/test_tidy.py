"""The rules of the house that no linter knows."""

import ast
import re
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROOMS = ("services", "shared", "native", "infra", "tests", "chaos")
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
LINE_CHARACTERS_MAX = 100
GENERATED = {"_hedgerow.c"}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "base", "manager", "util", "helper"}
CLOCK_READS = {
    ("time", "time"),
    ("time", "time_ns"),
    ("time", "monotonic"),
    ("time", "monotonic_ns"),
    ("time", "perf_counter"),
    ("time", "perf_counter_ns"),
    ("time", "process_time"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
}
CLOCK_READERS = {"shared/clock.py"}
ENVIRONMENT_READERS = {"shared/configuration.py"}


def files(*suffixes):
    found = chain.from_iterable((ROOT / room).rglob("*") for room in ROOMS)
    return sorted(path for path in found if path.suffix in suffixes and path.name not in GENERATED)


def named(path):
    return str(path.relative_to(ROOT))


PYTHON = pytest.mark.parametrize("path", files(".py"), ids=named)
SOURCE = pytest.mark.parametrize("path", files(".py", ".c", ".h"), ids=named)


@SOURCE
def test_a_file_is_short_and_its_lines_are_too(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= FILE_LINES_MAX, "split it into nouns"
    for number, line in enumerate(lines, 1):
        assert len(line) <= LINE_CHARACTERS_MAX, f"line {number} has {len(line)} characters"


@SOURCE
def test_work_left_over_has_an_issue(path):
    text = path.read_text(encoding="utf-8")
    assert "FIX" + "ME" not in text
    for found in re.finditer("TO" + r"DO.*", text):
        assert re.search(r"#\d+", found.group()), found.group()


@SOURCE
def test_a_file_is_named_for_the_noun_it_owns(path):
    assert path.stem not in FORBIDDEN_NAMES


@PYTHON
def test_functions_are_short(path):
    for name, count in python_functions(path.read_text(encoding="utf-8")):
        assert count <= FUNCTION_LINES_MAX, f"{name} has {count} lines"


@pytest.mark.parametrize("path", files(".c", ".h"), ids=named)
def test_c_functions_are_short(path):
    for name, count in c_functions(path.read_text(encoding="utf-8")):
        assert count <= FUNCTION_LINES_MAX, f"{name} has {count} lines"


@pytest.mark.parametrize(
    "path",
    [path for path in files(".py") if named(path).startswith(("services", "shared"))],
    ids=named,
)
def test_only_the_clock_reads_clocks_and_only_configuration_the_environment(path):
    for reads in outside_reads(path.read_text(encoding="utf-8")):
        allowed = ENVIRONMENT_READERS if reads[0] == "os" else CLOCK_READERS
        assert named(path) in allowed, f"reads {'.'.join(reads)}"


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node.end_lineno - node.lineno + 1


def c_functions(text):
    """Bodies that begin with a brace at a line's end and end with one at a line's start."""
    began, name = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"[a-z].*[a-z0-9_]\(", line):
            began, name = number, line
        elif line == "}" and began:
            yield name, number - began + 1
            began = 0


def outside_reads(text):
    """Reads of clocks and of the environment, as (module, name)."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            pair = (node.value.id, node.attr)
            if pair in CLOCK_READS or pair in {("os", "environ"), ("os", "getenv")}:
                yield pair
        elif isinstance(node, ast.ImportFrom) and node.module in {"time", "os"}:
            yield from (
                (node.module, alias.name)
                for alias in node.names
                if (node.module, alias.name) in CLOCK_READS | {("os", "environ"), ("os", "getenv")}
            )


def test_the_rules_above_can_fail():
    long = "def f():\n" + "    x = 1\n" * 70
    assert list(python_functions(long)) == [("f", 71)]
    body = "static int hr_f(int x) {\n" + "  x++;\n" * 70 + "}\n"
    assert [count for _, count in c_functions(body)] == [72]
    assert list(outside_reads("import time\ntime.time_ns()")) == [("time", "time_ns")]
    assert list(outside_reads("from time import monotonic")) == [("time", "monotonic")]
    assert list(outside_reads("import os\nos.environ['A']")) == [("os", "environ")]
    assert list(outside_reads("clock.wall_ns()")) == []
