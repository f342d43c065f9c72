"""Causes over the venue, which knows nothing of traces.

A reply belongs to its request. An order is known again by its label, which we remember. A quote
was sent by another process than the one that reports its fills, so a traced mass quote carries its
cause in `quote_id`, which the venue repeats in the trade: `<id>~<trace id>-<span id>`.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from shared.causes import Cause, cause_of
from shared.venue_link import VenueNotice, VenueReply, VenueRequest

REMEMBERED_MAX = 4_096
QUOTE_ID_MAX = 64  # the venue's bound
OWN_CHANNELS = ("user.trades.", "user.orders.", "user.changes.")


class VenueCauses:
    """`keep_label` is told of each label and its cause; `labels` are those of an earlier life."""

    def __init__(
        self,
        keep_label: Callable[[str, Cause], None] | None = None,
        labels: dict[str, Cause] | None = None,
    ) -> None:
        self._by_request: dict[int, Cause] = {}
        self._by_label: dict[str, Cause] = dict(labels or {})
        self._keep_label = keep_label

    def outgoing(self, request: VenueRequest, sent: Cause, cause: Cause) -> VenueRequest:
        """Remembers why a request was made; returns it with its cause where the venue keeps it.

        Its reply belongs to the span of the sending, `sent`. An order or quote outlives that: a
        process that dies before the reply never ends the span, so it belongs to what led to it.
        """
        _remember(self._by_request, request.request_id, sent)
        label = request.params.get("label")
        if isinstance(label, str):
            _remember(self._by_label, label, cause)
            if self._keep_label is not None:
                self._keep_label(label, cause)
        quote_id = request.params.get("quote_id")
        if not isinstance(quote_id, str):
            return request
        marked = f"{quote_id}~{cause.trace_id:032x}-{cause.span_id:016x}"
        if len(marked) > QUOTE_ID_MAX:
            return request
        return msgspec.structs.replace(request, params={**request.params, "quote_id": marked})

    def incoming(self, event: object) -> Cause | None:
        """Returns what of ours caused an event of the venue."""
        if isinstance(event, VenueReply):
            return self._by_request.pop(event.request_id, None)
        if isinstance(event, VenueNotice) and event.channel.startswith(OWN_CHANNELS):
            return self._cause_of_rows(event.data)
        return None

    def of_label(self, label: str) -> Cause | None:
        """Returns what the order of that label was sent for."""
        return self._by_label.get(label)

    def _cause_of_rows(self, data: Any) -> Cause | None:
        """Returns what all rows have in common; rows of several causes have none."""
        causes = {
            self._cause_of(row)
            for row in (data if isinstance(data, list) else [data])
            if isinstance(row, dict)
        }
        return causes.pop() if len(causes) == 1 else None

    def _cause_of(self, row: dict[str, Any]) -> Cause | None:
        _, mark, context = str(row.get("quote_id", "")).partition("~")
        if mark:
            return cause_of(f"00-{context}-01", is_order=True)
        return self._by_label.get(str(row.get("label", "")))


def _remember(memory: dict[Any, Cause], key: object, cause: Cause) -> None:
    memory[key] = cause
    if len(memory) > REMEMBERED_MAX:
        del memory[next(iter(memory))]
