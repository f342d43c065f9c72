"""What of the lossy messages never came, or came late: told by their numbers.

A producer numbers its batches of one kind and key one by one. A number that leaps says how many
were lost; one that was passed already came out of order, or twice. A producer that begins again
begins at small numbers: then there is nothing to compare.
"""

from shared.messages.market import TicksV1
from shared.messages.message import Message
from shared.messages.quoting import QuotesV1

LEAP_MAX = 1_000  # a wider one is another life of the producer
BACK_MAX = 100
NUMBERED = (TicksV1, QuotesV1)


class LossyOrder:
    """Remembers the newest number of each subject."""

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self.missed_count = 0
        self.disordered_count = 0

    def note(self, subject: str, message: Message) -> None:
        """Takes a message; those that are not numbered one by one are left alone."""
        if not isinstance(message, NUMBERED):
            return
        number = message.sequence
        newest = self._newest.get(subject)
        if newest is not None and newest - BACK_MAX <= number <= newest:
            self.disordered_count += 1
            return
        self._newest[subject] = number
        if newest is not None and 1 < number - newest <= LEAP_MAX:
            self.missed_count += number - newest - 1

    def forget(self, subject: str) -> None:
        """One came and was shed unread: the next has nothing to compare with."""
        self._newest.pop(subject, None)
