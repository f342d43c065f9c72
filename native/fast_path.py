"""The path from tick to quote, from Python: blocks and commands in, records and messages out.

`FastPath` owns the memory of a path and of the loop that carries it. With `run` a C thread takes
datagrams and FIX bytes from sockets; without it a test or a simulation hands them over itself
(`on_datagram`, `on_stream`, `on_time`) and gets back the bytes to send. The engines inside belong
to whoever carries the path: Python reads stats and records, never an engine.
"""

import mmap
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from native.library import check, ffi, lib
from native.path_records import RECORD_DTYPE, Stats, stats_of

Fields = Mapping[str, float]

HUGE_PAGE = 2 << 20
BATCH = 1024  # records taken at once
MESSAGES = 16
FULL = int(lib.HR_ERR_FULL)
NAME_BYTES = int(lib.HR_PATH_NAME_BYTES)
BODY_BYTES = int(lib.HR_PATH_BODY_BYTES)
NS_PER_MS = 1_000_000
MODES = {
    "blocking": int(lib.HR_LOOP_BLOCKING),
    "adaptive": int(lib.HR_LOOP_ADAPTIVE),
    "busy": int(lib.HR_LOOP_BUSY),
}
DEFAULTS: dict[str, float] = {
    "underlying_count": 2,
    "slot_count": 2048,
    "record_capacity": 65536,
    "command_capacity": 4096,
    "message_capacity": 64,
    "in_flight_max": 16,
    "feed_silence_ns": 150 * NS_PER_MS,
    "answer_ns_max": 1000 * NS_PER_MS,
    "retry_ns": 250 * NS_PER_MS,
    "refused_hold_ns": 500 * NS_PER_MS,
    "failed_hold_ns": 1000 * NS_PER_MS,
    "decide_ns": 250 * NS_PER_MS,
    "exposed_max": 8,
    "is_recording_passes": 0,
}
LOOP_DEFAULTS: dict[str, float] = {
    "offset_ns": 0,
    "wake_ns": 20 * NS_PER_MS,
    "spin_ns": 50_000,
    "stats_ns": 100 * NS_PER_MS,
    "mode": MODES["adaptive"],
    "cpu": -1,
    "busy_poll_us": 0,
    "receive_bytes": 4 << 20,
    "priority": 0,
}


class PathMessage(NamedTuple):
    """A FIX message for Python: of the session, or none of the loop's."""

    received_ns: int
    sequence: int
    is_cut: bool
    raw: bytes


class FastPath:
    """One path and its loop. Refusals are NativeError; refused commands come back as records."""

    def __init__(self, sender: str, target: str, fields: Fields, loop_fields: Fields) -> None:
        config = ffi.new("hr_path_config *", {**DEFAULTS, **fields})
        config.sender = sender.encode()
        config.target = target.encode()
        size = int(lib.hr_path_size(config))
        self._memory = _Memory(max(size, 1))
        path_out = ffi.new("hr_path **")
        check(lib.hr_path_init(self._memory.start, size, config, path_out))
        self._path = path_out[0]
        self._loop_memory = _Memory(int(lib.hr_loop_size()))
        loop_config = ffi.new("hr_loop_config *", {**LOOP_DEFAULTS, **loop_fields})
        loop_out = ffi.new("hr_loop **")
        check(
            lib.hr_loop_init(
                self._loop_memory.start, lib.hr_loop_size(), self._path, loop_config, loop_out
            )
        )
        self._loop = loop_out[0]
        self._backlog: deque[Any] = deque()
        self._records = np.zeros(BATCH, dtype=RECORD_DTYPE)
        self._records_in_c = ffi.cast("hr_record *", ffi.from_buffer(self._records))
        self._messages = ffi.new("hr_path_message[]", MESSAGES)
        self._stats = ffi.new("hr_path_stats *")
        self._output = ffi.new("uint8_t **")
        self._underlying_count = int(config.underlying_count)

    # ---- the loop ------------------------------------------------------------------------------

    def listen(self, address: str, port: int, interface: str, *, is_snapshot: bool) -> int:
        """Binds a datagram socket, joining `address` if it is a group; returns the port."""
        port_out = ffi.new("int32_t *")
        check(
            lib.hr_loop_listen(
                self._loop, is_snapshot, address.encode(), port, interface.encode(), port_out
            )
        )
        return int(port_out[0])

    def run(self) -> None:
        """Starts the thread; from here on it alone carries the path."""
        check(lib.hr_loop_start(self._loop))

    def stop(self) -> None:
        """Ends the thread; the connection goes with it, and every quote with the connection."""
        if self.is_running:
            check(lib.hr_loop_stop(self._loop))

    def close(self) -> None:
        self.stop()
        check(lib.hr_loop_close(self._loop))

    def connect(self, socket_fd: int) -> None:
        """Hands over a connected TCP socket, which the loop owns from now on; -1 only closes."""
        check(lib.hr_loop_connect(self._loop, socket_fd))

    def wake(self) -> None:
        """Has the loop look at what was put, now and not at its next tick or timer."""
        check(lib.hr_loop_wake(self._loop))

    @property
    def is_running(self) -> bool:
        return bool(lib.hr_loop_is_running(self._loop))

    @property
    def address(self) -> int:
        """Returns where the path lies: for C that shares it."""
        return int(ffi.cast("uintptr_t", self._path))

    @property
    def is_urgent(self) -> bool:
        """Returns whether the thread got the real-time priority that it was to have."""
        return bool(lib.hr_loop_is_urgent(self._loop))

    @property
    def system_error(self) -> int:
        """Returns the errno of what the system refused last; 0: nothing."""
        return int(lib.hr_loop_error(self._loop))

    # ---- blocks --------------------------------------------------------------------------------

    def put_surface(
        self, underlying: int, version: int, market_ns: int, slices: Sequence[Fields]
    ) -> None:
        block = ffi.new("hr_engine_surface *")
        block.version, block.market_ns, block.slice_count = version, market_ns, len(slices)
        for index, fields in enumerate(slices[: int(lib.HR_ENGINE_SLICES_MAX)]):
            for name, value in fields.items():
                setattr(block.slices[index], name, value)
        check(lib.hr_path_put_surface(self._path, underlying, block))

    def put_policy(self, underlying: int, fields: Fields) -> None:
        check(lib.hr_path_put_policy(self._path, underlying, _filled("hr_engine_policy *", fields)))

    def put_limits(self, underlying: int, fields: Fields) -> None:
        check(lib.hr_path_put_limits(self._path, underlying, _filled("hr_gate_limits *", fields)))

    def put_lease(self, underlying: int, state: int, expires_ns: int) -> None:
        check(lib.hr_path_put_lease(self._path, underlying, state, expires_ns))

    # ---- commands ------------------------------------------------------------------------------

    def set_underlying(self, underlying: int, currency: str, index: str, group: str) -> None:
        """Names an underlying: "BTC", "btc_usd" and its protection group."""
        self._command(
            lib.HR_COMMAND_UNDERLYING, underlying=underlying, name=currency, text=index, body=group
        )

    def set_instrument(
        self,
        underlying: int,
        slot: int,
        instrument_id: int,
        name: str,
        fields: Fields,
        *,
        is_tradable: bool,
    ) -> None:
        self._command(
            lib.HR_COMMAND_INSTRUMENT,
            underlying=underlying,
            slot=slot,
            instrument_id=instrument_id,
            name=name,
            instrument=dict(fields),
            flag=is_tradable,
        )

    def release(self, underlying: int, slot: int) -> None:
        self._command(lib.HR_COMMAND_RELEASE, underlying=underlying, slot=slot)

    def set_tradable(self, underlying: int, slot: int, *, is_tradable: bool) -> None:
        self._command(
            lib.HR_COMMAND_TRADABLE, underlying=underlying, slot=slot, flag=int(is_tradable)
        )

    def fill(
        self,
        underlying: int,
        slot: int,
        signed_lots: int,
        price_ticks: int,
        trade_id: str,
        *,
        is_old: bool,
    ) -> None:
        """Books a fill unless its trade id is known; an empty one is never known."""
        self._command(
            lib.HR_COMMAND_FILL,
            underlying=underlying,
            slot=slot,
            lots=signed_lots,
            ticks=price_ticks,
            text=trade_id,
            flag=int(is_old),
        )

    def seen(self, trade_id: str) -> None:
        """Says that a trade is counted elsewhere already."""
        self._command(lib.HR_COMMAND_SEEN, text=trade_id)

    def set_hedge(self, underlying: int, hedge_usd: float) -> None:
        self._command(lib.HR_COMMAND_HEDGE, underlying=underlying, amount=hedge_usd)

    def set_halted(self, underlying: int, *, is_halted: bool) -> None:
        self._command(lib.HR_COMMAND_HALT, underlying=underlying, flag=int(is_halted))
        self.wake()

    def rearm(self, underlying: int) -> None:
        self._command(lib.HR_COMMAND_REARM, underlying=underlying)

    def latch(self, underlying: int, slot: int, side: int) -> None:
        """Closes a latch of a former life; slot LATCH_ALL: that of executed beyond sent."""
        self._command(lib.HR_COMMAND_LATCH, underlying=underlying, slot=slot, flag=side)

    def set_rates(self, budget: Fields, messages_max: int, messages_reserved: int) -> None:
        """Takes the account's credits (hr_gate_budget) and our own bound on messages a second."""
        self._command(
            lib.HR_COMMAND_RATES, budget=dict(budget), lots=messages_max, number=messages_reserved
        )

    def start_quoting(self, underlying: int) -> None:
        """Protection at the venue is set or reset: quote as soon as nothing hinders."""
        self._command(lib.HR_COMMAND_START, underlying=underlying)

    def stop_quoting(self, underlying: int, reason: int = int(lib.HR_PULL_ASKED)) -> None:
        """Pulls every quote and stays clear until started anew."""
        self._command(lib.HR_COMMAND_STOP, underlying=underlying, code=reason)
        self.wake()

    def set_logged_on(self, *, is_logged_on: bool) -> None:
        """The FIX session is up: what an older one left is cancelled before anything else."""
        self._command(lib.HR_COMMAND_LOGGED_ON, flag=int(is_logged_on))
        self.wake()

    def send(self, message_type: str, body: bytes, sequence: int = 0) -> None:
        """Sends a FIX message around a body of whole fields, each ended by SOH. A `sequence` sends
        it under that number with PossDup: the answer to a resend request. A body that ends in 36=
        is then ended by the number of the path's next message: a gap fill of all that was said."""
        self._command(
            lib.HR_COMMAND_SEND,
            name=message_type,
            body=body,
            flag=_send_flag(body, sequence),
            number=sequence,
        )
        self.wake()

    # ---- what comes out ------------------------------------------------------------------------

    def records(self) -> NDArray[np.void]:
        """Takes what was recorded, oldest first, as an array of hr_record."""
        self.flush()
        count = int(lib.hr_path_take_records(self._path, self._records_in_c, BATCH))
        return self._records[:count].copy()

    @property
    def urgent_count(self) -> int:
        """Returns how many records were written, ever, that somebody waits for: all but quotes,
        their answers, what the feed says and passes."""
        return int(lib.hr_path_urgent_count(self._path))

    def messages(self) -> list[PathMessage]:
        count = int(lib.hr_path_take_messages(self._path, self._messages, MESSAGES))
        taken = (self._messages[index] for index in range(count))
        return [
            PathMessage(
                one.received_ns, one.sequence, bool(one.is_cut), ffi.buffer(one.raw)[: one.bytes]
            )
            for one in taken
        ]

    def stats(self) -> Stats | None:
        """Returns the counters if newer ones were published since the last call."""
        if lib.hr_path_read_stats(self._path, self._stats) != 0:
            return None
        return stats_of(ffi, self._stats, self._underlying_count)

    def flush(self) -> None:
        """Sends the commands that found no room; `records` does it too."""
        while self._backlog:
            status = lib.hr_path_command(self._path, self._backlog[0])
            if status == FULL:
                return
            check(status)
            self._backlog.popleft()

    # ---- without a loop ------------------------------------------------------------------------

    def on_datagram(self, data: bytes, now_ns: int, *, is_snapshot: bool = False) -> bytes:
        """Hands over a datagram; returns the bytes to send. An undecodable one is counted."""
        lib.hr_path_on_datagram(self._path, is_snapshot, data, len(data), now_ns)
        return self._sent(now_ns)

    def on_stream(self, data: bytes, now_ns: int) -> bytes:
        check(lib.hr_path_on_stream(self._path, data, len(data), now_ns))
        return self._sent(now_ns)

    def on_time(self, now_ns: int) -> bytes:
        self.flush()
        check(lib.hr_path_on_time(self._path, now_ns))
        lib.hr_path_publish_stats(self._path, now_ns)
        return self._sent(now_ns)

    def on_connected(self, now_ns: int) -> None:
        check(lib.hr_path_on_connected(self._path, now_ns))

    def on_lost(self, now_ns: int) -> None:
        check(lib.hr_path_on_lost(self._path, now_ns))

    def _sent(self, now_ns: int) -> bytes:
        count = int(lib.hr_path_output(self._path, self._output))
        data = bytes(ffi.buffer(self._output[0], count))
        if count:
            check(lib.hr_path_on_sent(self._path, count, now_ns))
        return data

    def _command(self, kind: int, **fields: Any) -> None:
        command = ffi.new("hr_command *")
        command.kind = kind
        for name, value in fields.items():
            if name in ("instrument", "budget"):
                for field, number in value.items():
                    setattr(getattr(command, name), field, number)
            elif name in ("name", "text", "body"):
                data = value if isinstance(value, bytes) else value.encode()
                assert len(data) < (BODY_BYTES if name == "body" else NAME_BYTES), name
                setattr(command, name, data)
            else:
                setattr(command, name, value)
        self._backlog.append(command)
        self.flush()


def _send_flag(body: bytes, sequence: int) -> int:
    if not sequence:
        return int(lib.HR_SEND_NEXT)
    return int(lib.HR_SEND_GAP_FILL if body.endswith(b"\x0136=") else lib.HR_SEND_AGAIN)


class _Memory:
    """Zeroed memory in huge pages, where the kernel has them: the ring of records alone is more
    small pages than a processor remembers, so that each record would begin with a walk of them."""

    def __init__(self, size: int) -> None:
        self._owned = mmap.mmap(-1, size + HUGE_PAGE)
        self._owned.madvise(mmap.MADV_HUGEPAGE)
        memory = ffi.from_buffer("char[]", self._owned)
        self.start = memory + (-int(ffi.cast("uintptr_t", memory)) % HUGE_PAGE)


def _filled(kind: str, fields: Fields) -> Any:
    block = ffi.new(kind)
    for name, value in fields.items():
        setattr(block, name, value)
    return block
