"""A fuzz target's corpus as text: `unpack` writes its lines of hex as files for libFuzzer, `pack`
writes the files of a folder back as sorted lines."""

import hashlib
import sys
from pathlib import Path

CORPORA = Path(__file__).resolve().parents[1] / "native" / "fuzz" / "corpus"


def unpack(target: str, folder: Path) -> int:
    """Writes each seed into a file named by its hash; returns how many."""
    folder.mkdir(parents=True, exist_ok=True)
    seeds = [bytes.fromhex(line) for line in (CORPORA / f"{target}.hex").read_text().splitlines()]
    for seed in seeds:
        (folder / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    return len(seeds)


def pack(target: str, folder: Path) -> int:
    """Replaces the committed corpus by a folder's files; returns how many."""
    seeds = sorted(path.read_bytes().hex() for path in folder.iterdir())
    (CORPORA / f"{target}.hex").write_text("".join(f"{seed}\n" for seed in seeds))
    return len(seeds)


def main() -> None:
    command, target, folder = sys.argv[1:]
    count = {"unpack": unpack, "pack": pack}[command](target, Path(folder))
    print(f"{count} seeds of {target}")


if __name__ == "__main__":
    main()
