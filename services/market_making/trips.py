"""How long to wait after the venue's protection tripped: longer each time in a row."""

from shared.clock import NS_PER_S

RESET_WAIT_NS = NS_PER_S  # doubles each time
RESET_WAIT_NS_MAX = 30 * NS_PER_S
CALM_NS = 60 * NS_PER_S  # without a trip: the wait starts from its least again


class Trips:
    def __init__(self) -> None:
        self.hold_ns = 0  # no quoting before
        self._tripped_ns = 0
        self._count = 0  # in a row

    def on_trip(self, now_ns: int) -> None:
        self._count = self._count + 1 if now_ns - self._tripped_ns < CALM_NS else 1
        self._tripped_ns = now_ns
        wait_ns = min(RESET_WAIT_NS << min(self._count - 1, 10), RESET_WAIT_NS_MAX)
        self.hold_ns = max(self.hold_ns, now_ns + wait_ns)
