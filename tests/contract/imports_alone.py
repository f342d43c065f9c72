"""Run by test_images.py in an interpreter of its own: imports one service with nothing there but
what its image holds. Arguments: the image's folder, the service, the lock file.
"""

import importlib
import pkgutil
import re
import sys
from importlib.abc import MetaPathFinder
from importlib.metadata import packages_distributions
from pathlib import Path

OURS = {"services", "shared", "native", "infra", "tests", "chaos"}
WITHOUT_THE_SERVICE = ("shared.main", "shared.tracing")


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(path):
    text = Path(path).read_text(encoding="utf-8")
    return {normal(found) for found in re.findall(r"^([A-Za-z0-9_.-]+)==", text, re.MULTILINE)}


class OnlyTheImage(MetaPathFinder):
    def __init__(self, folder, names):
        self.distributions = packages_distributions()
        self.names = names
        self.here = {entry.name for entry in Path(folder).iterdir()}

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        owners = {normal(owner) for owner in self.distributions.get(top, ())}
        if top in OURS and top not in self.here:
            raise ModuleNotFoundError(f"{name}: not in the image")
        if top not in OURS and owners and not owners & self.names:
            raise ModuleNotFoundError(f"{name}: of {owners}, which is not in the lock")


def main(folder, service, lock):
    sys.path.insert(0, folder)
    sys.meta_path.insert(0, OnlyTheImage(folder, locked(lock)))
    package = importlib.import_module(f"services.{service}")
    inside = pkgutil.walk_packages(package.__path__, f"services.{service}.")
    names = [one.name for one in inside if not one.name.endswith("__main__")]
    for name in (*names, *WITHOUT_THE_SERVICE):
        importlib.import_module(name)
    assert all(
        str(module.__file__).startswith(folder)
        for name, module in sys.modules.items()
        if name.partition(".")[0] in OURS and module.__file__
    )
    sys.stdout.write(" ".join(sorted({name.partition(".")[0] for name in sys.modules})))


if __name__ == "__main__":
    main(*sys.argv[1:])
