"""What caused a message: a W3C trace context, carried in the headers of NATS.

`traceparent: 00-<trace id>-<span id>-01`; only sampled contexts travel. In `tracestate`,
`hedgerow=order` marks a trace that an order, a fill or a halt is part of: it outranks a tick's
where both could have caused what a timer yields.
"""

import re
from dataclasses import dataclass

TRACE_HEADER = "traceparent"
STATE_HEADER = "tracestate"
ORDER_STATE = "hedgerow=order"
_FORM = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Cause:
    trace_id: int
    span_id: int
    is_order: bool = False

    def traceparent(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"

    def headers(self) -> dict[str, str]:
        headers = {TRACE_HEADER: self.traceparent()}
        if self.is_order:
            headers[STATE_HEADER] = ORDER_STATE
        return headers


def cause_in(headers: dict[str, str] | None) -> Cause | None:
    """Returns the cause that headers carry; None if there is none, or none that is sampled."""
    if not headers or TRACE_HEADER not in headers:
        return None
    return cause_of(headers[TRACE_HEADER], is_order=ORDER_STATE in headers.get(STATE_HEADER, ""))


def cause_of(traceparent: str, *, is_order: bool) -> Cause | None:
    found = _FORM.fullmatch(traceparent)
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    if not trace_id or not span_id or not flags & 1:
        return None
    return Cause(trace_id, span_id, is_order)
