"""Both transports: the engine in Python's hands over the venue session, and the C path over FIX."""

import pytest

from tests.unit.market_making.path_desk import PathDesk
from tests.unit.market_making.toy_desk import ToyDesk


@pytest.fixture(params=[ToyDesk, PathDesk], ids=["websocket", "fix"])
def kind(request: pytest.FixtureRequest) -> type[ToyDesk]:
    """Returns the desk of one transport; a test that takes it must hold on both."""
    desk: type[ToyDesk] = request.param
    return desk
