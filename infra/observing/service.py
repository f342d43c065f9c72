"""observer, in a process of its own: it tells what it has seen to whoever asks for /observed.

For desks that nobody's `hedgerow up` runs: the profile chaos of docker-compose.yml.
"""

from dataclasses import replace

import msgspec

from infra import observer, report
from shared.configuration import DeskConfig
from shared.service import Service


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """There is nothing to set."""


def build(config: Config, desk: DeskConfig) -> Service:
    del config
    service, watcher = observer.build(desk)
    return replace(service, answers={"observed": lambda: report.told(watcher)})
