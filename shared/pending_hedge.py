"""The one open hedge of an underlying, and when what it traded shows in risk's delta.

Hedging keeps one, and so does execution, which hedges while hedging is silent.

An intent is open until its outcome; its fills reach risk on their own way, before or after. Until
risk's position in that instrument has moved by what the outcome reports, risk's delta is behind and
nothing more is hedged: this is what keeps a delayed portfolio from being hedged twice.
"""

from shared.messages.hedging import HedgeIntentV1, HedgeOutcomeV1
from shared.messages.risk import PortfolioV1


class Pending:
    def __init__(self) -> None:
        self.intent: HedgeIntentV1 | None = None
        self._start_lots: int | None = 0  # position when the intent went out; None: not known
        self._outcome: HedgeOutcomeV1 | None = None
        self._ended: set[str] = set()  # outcomes may be told before intents in a replay

    def open(self, intent: HedgeIntentV1, position_lots: int | None) -> None:
        self.intent = intent
        self._start_lots = position_lots
        self._outcome = None

    def on_replayed(self, intent: HedgeIntentV1) -> None:
        """An intent of a former life: open until its outcome is seen."""
        if self.intent is not None and intent.created_ns <= self.intent.created_ns:
            return
        if intent.intent_id not in self._ended:
            self.open(intent, None)

    def on_outcome(self, outcome: HedgeOutcomeV1) -> bool:
        """Returns whether the open intent has just ended."""
        self._ended.add(outcome.intent_id)
        if self.intent is None or outcome.intent_id != self.intent.intent_id:
            return False
        if self._outcome is not None:
            return False
        self._outcome = outcome
        return True

    def is_open(self) -> bool:
        return self.intent is not None and self._outcome is None

    def is_settled(self, portfolio: PortfolioV1, settle_ns: int) -> bool:
        """Returns whether a portfolio shows all that was traded: nothing is open, and the position
        has moved by the fills, or `settle_ns` have passed between outcome and portfolio."""
        if self.intent is None:
            return True
        outcome = self._outcome
        if outcome is None:
            return False
        if outcome.filled_lots == 0:
            return portfolio.created_ns >= outcome.created_ns
        if portfolio.created_ns >= outcome.created_ns + settle_ns:
            return True
        if self._start_lots is None:
            return False
        signed = outcome.filled_lots if self.intent.side == "buy" else -outcome.filled_lots
        return position_of(portfolio, self.intent.instrument) == self._start_lots + signed


def position_of(portfolio: PortfolioV1, instrument: str) -> int:
    for position in portfolio.positions:
        if position.instrument == instrument:
            return position.position_lots
    return 0
