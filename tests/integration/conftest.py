from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.server import NatsServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[NatsServer]:
    started = NatsServer(tmp_path)
    yield started
    started.kill()
