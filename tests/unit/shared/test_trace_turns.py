from hypothesis import given
from hypothesis import strategies as st

from shared.causes import Cause
from shared.trace_turns import LINKS_MAX, ORDER_STALE_NS, STALE_NS, Causes

ORDER = st.tuples(st.just("order"), st.sampled_from(["", "BTC", "ETH"]), st.integers(1, 90))
TICK = st.tuples(st.just("tick"), st.just(""), st.integers(1, 90))
SPOKE = st.tuples(st.just("spoke"), st.just(""), st.integers(1, 90))
STEP_NS = STALE_NS // 10


@given(st.lists(ORDER | TICK | SPOKE, max_size=200), st.sampled_from(["", "BTC"]))
def test_a_timer_continues_what_it_has_not_spoken_of(steps, key):
    causes, heard, now_ns, spoken = Causes(), [], 0, 0
    for number, (what, its_key, tenths) in enumerate(steps, 1):
        now_ns += STEP_NS * tenths // 30
        if what == "spoke":
            causes.spoke("timer")
            spoken = number
        else:
            cause = Cause(number, number, what == "order")
            causes.hear(cause, its_key, now_ns)
            heard.append((number, its_key, cause, now_ns))
    since = [one for one in heard if one[0] > spoken]
    orders = [
        cause
        for _, its_key, cause, at_ns in since
        if cause.is_order and now_ns - at_ns <= ORDER_STALE_NS
        if not key or its_key in ("", key)
    ]
    ticks = [
        cause for _, _, cause, at_ns in since if not cause.is_order and now_ns - at_ns <= STALE_NS
    ]
    wanted = orders[-LINKS_MAX:] if orders else ticks[-1:]
    assert causes.since("timer", key, now_ns) == wanted
