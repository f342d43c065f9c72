"""Builds `native._hedgerow` from every header in include/ and every source in src/.

Each header is read by C whole and by cffi between `/* cdef: begin */` and `/* cdef: end */`: one
declaration, never two. Run `python native/build_ffi.py`; the module is left in `native/`.
"""

import os
import re
from pathlib import Path

from cffi import FFI

ROOT = Path(__file__).resolve().parent
CFLAGS = [
    "-std=c11", "-O3", "-g", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off",
    "-fstack-protector-strong", "-D_FORTIFY_SOURCE=2", "-Werror", "-Wall", "-Wextra",
    "-fvisibility=hidden",  # or no call between our files may be inlined, nor be direct,
    "-flto=auto",  # and with this one many are: a tenth fewer instructions a tick
]  # fmt: skip
# What a tick passes is called once: inlined whole, it is one straight way (a twelfth fewer).
INLINING = {
    "max-inline-insns-auto": 400, "inline-unit-growth": 300,
    "large-function-insns": 20_000, "large-function-growth": 2_000,
}  # fmt: skip
for name, value in INLINING.items():
    CFLAGS += ["--param", f"{name}={value}"]
# cffi's own generated code trips these; the C tests compile our sources with all warnings.
CFLAGS += ["-Wno-unused-parameter", "-Wno-missing-field-initializers"]


def headers() -> list[Path]:
    """Returns the headers, each after those that it includes."""
    ordered: list[Path] = []

    def visit(path: Path) -> None:
        for name in re.findall(r'#include "(hr_\w+\.h|hedgerow\.h)"', path.read_text("utf-8")):
            visit(path.parent / name)
        if path not in ordered:
            ordered.append(path)

    for path in sorted((ROOT / "include").glob("*.h")):
        visit(path)
    return ordered


def declarations(header: str) -> str:
    """Returns what stands between the cdef marks of one header."""
    blocks = re.findall(r"/\* cdef: begin \*/(.*?)/\* cdef: end \*/", header, flags=re.DOTALL)
    return "\n".join(re.sub(r"/\*.*?\*/", "", block, flags=re.DOTALL) for block in blocks)


def build() -> str:
    """Compiles the module; returns its path."""
    ffi = FFI()
    for path in headers():
        ffi.cdef(declarations(path.read_text(encoding="utf-8")))
    os.chdir(ROOT)
    ffi.set_source(
        "_hedgerow",
        "\n".join(f'#include "{path.name}"' for path in headers()),
        sources=[f"src/{path.name}" for path in sorted((ROOT / "src").glob("*.c"))],
        include_dirs=["include", "src"],
        extra_compile_args=CFLAGS,
        extra_link_args=CFLAGS,
        libraries=["m"],
    )
    return str(ffi.compile(tmpdir=".", verbose=False))


if __name__ == "__main__":
    print(build())  # noqa: T201
