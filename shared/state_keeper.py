"""Guards the states that this agent publishes: STATE keeps one message a subject, so bytes that
nobody can read would replace a good one, and a reader that starts later would have none.

The publisher hears its own subjects as they are spoken, also what the stream would drop before a
reader gets it. What cannot be read becomes a dead letter, and is replaced by the newest state that
we have, or purged where we have none and may: on a bus with logins nobody else can have put it
there, and no agent may purge. A version that we do not know is left alone.
"""

from collections.abc import Callable

from nats.aio.msg import Msg

from shared.bus import PROBE_HEADER, Bus, Parcel
from shared.messages.message import BadMessageError, Delivery
from shared.messages.registry import KINDS, stem_of
from shared.reading import Reading, tag_in
from shared.service import Service, on
from shared.streams import STATE, StreamError, api


class StateKeeper:
    def __init__(
        self,
        service: Service,
        bus: Bus,
        bury: Callable[[str, bytes, str], None],
        defer: Callable[[Callable[[], object]], None],
    ) -> None:
        self._bus = bus
        self._bury = bury
        self._defer = defer
        own = tuple(kind for kind in service.publishes if kind.delivery is Delivery.STATE)
        self._subjects = sorted({f"{stem_of(kind)}.>" for kind in own})
        consumes = tuple(on(kind, lambda _: ()) for kind in own)
        self._reading = Reading(Service(name=service.name, consumes=consumes))
        self.mended_count = 0

    async def start(self) -> None:
        for subject in self._subjects:
            await self._bus.subscribe(subject, self._on_state, is_critical=False)

    def _on_state(self, message: Msg) -> None:
        if message.headers and PROBE_HEADER in message.headers:
            return
        try:
            self._reading.read(message.subject, message.data)
        except BadMessageError as error:
            self._bury(message.subject, message.data, str(error))
            if tag_in(message.subject) in KINDS:
                self.mended_count += 1
                self._defer(lambda: self._mend(message.subject))

    async def _mend(self, subject: str) -> None:
        newest = self._bus.outbox.newest_state(subject)
        if newest is not None:
            await self._bus.post(Parcel(subject, newest.data, None, newest.headers))
        elif self._bus.keeps_streams and "*" not in subject and ">" not in subject:
            try:
                await api(self._bus.call, f"STREAM.PURGE.{STATE}", {"filter": subject})
            except StreamError:
                return  # nothing there to purge
