"""The observer in a process of its own tells what the one of `hedgerow up` writes down."""

import msgspec

from infra import report
from infra.observing.service import Config, build
from shared.configuration import DeskConfig
from shared.messages.orders import FillV1

FILL = FillV1(
    created_ns=1, trade_id="BTC-1", venue_order_id="v", order_id="", is_quote=True,
    underlying="BTC", instrument="BTC-PERPETUAL", side="buy", amount_lots=1, price_ticks=1,
    is_maker=True, fee_coin_e12=0, index_usd=1.0, mark_price=1.0, venue_ns=1,
)  # fmt: skip


def heard(service, message):
    for consume in service.consumes:
        if consume.kind is type(message):
            list(consume.handler(message))


def test_what_it_has_seen_is_what_it_answers():
    service = build(Config(), DeskConfig())
    observed = service.answers["observed"]
    heard(service, FILL)
    assert observed().keys() == {*report.TOLD, "broken"}
    assert observed()["fills"] == 1
    assert observed()["violations"] == 0
    heard(service, msgspec.structs.replace(FILL, amount_lots=2))
    assert observed()["fills"] == 1
    assert observed()["violations"] == 1
    assert observed()["broken"].keys() == {"fills_idempotent"}
