"""What caused a message: a W3C trace context, carried in the headers of NATS.

`traceparent: 00-<trace id>-<span id>-01`; only sampled contexts travel. In `tracestate`,
`hedgerow=order` marks a trace that an order, a fill or a halt is part of: it outranks a tick's
where both could have caused what a timer yields. `repeat` marks a state that says again what an
earlier one said: it explains something only to a reader that had not heard the first.

A fill has one trace whoever sees it first: its ids are derived from the trade's, so that processes
which hear of a trade by different ways need not tell each other.
"""

import hashlib
import re
from dataclasses import dataclass

TRACE_HEADER = "traceparent"
STATE_HEADER = "tracestate"
ORDER_STATE = "hedgerow=order"
REPEAT_STATE = "hedgerow=repeat"
_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Cause:
    trace_id: int
    span_id: int
    is_order: bool = False
    is_repeat: bool = False

    def traceparent(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"

    def headers(self) -> dict[str, str]:
        headers = {TRACE_HEADER: self.traceparent()}
        if self.is_order:
            headers[STATE_HEADER] = REPEAT_STATE if self.is_repeat else ORDER_STATE
        return headers


def fill_cause(trade_id: str) -> Cause:
    """Returns the trace of a trade and the span that stands for it."""
    digest = hashlib.sha256(f"fill {trade_id}".encode()).digest()
    trace_id, span_id = digest[:16], digest[16:24]
    return Cause(int.from_bytes(trace_id, "big") | 1, int.from_bytes(span_id, "big") | 1, True)


def cause_in(headers: dict[str, str] | None) -> Cause | None:
    """Returns the cause that headers carry; None if there is none, or none that is sampled."""
    if not headers or TRACE_HEADER not in headers:
        return None
    state = headers.get(STATE_HEADER, "")
    is_repeat = REPEAT_STATE in state
    is_order = is_repeat or ORDER_STATE in state
    return cause_of(headers[TRACE_HEADER], is_order=is_order, is_repeat=is_repeat)


def cause_of(traceparent: str, *, is_order: bool, is_repeat: bool = False) -> Cause | None:
    found = _FORM.fullmatch(traceparent)
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    if not trace_id or not span_id or not flags & 1:
        return None
    return Cause(trace_id, span_id, is_order, is_repeat)
