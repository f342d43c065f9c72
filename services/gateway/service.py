"""gateway: orders.place/cancel/query.v1, the venue -> market.*, orders.order/fill/account.v1."""

from services.gateway.breakers import Breakers
from services.gateway.core import TICKS_INTERVAL_MS, Config, Gateway
from shared.configuration import DeskConfig
from shared.guarding import guarded
from shared.messages.market import FeedV1, InstrumentsV1, TicksV1
from shared.messages.orders import (
    AccountV1,
    CancelOrderV1,
    FillV1,
    OrderV1,
    PlaceOrderV1,
    QueryOrderV1,
    SettlementV1,
)
from shared.messages.risk import AlertV1
from shared.service import Service, every, on
from shared.venue_link import LinkSettings, VenueDown, VenueNotice, VenueReply, VenueUp


def build(config: Config, desk: DeskConfig) -> Service:
    breakers = Breakers()
    gateway = Gateway(config, desk.underlyings)
    return guarded(
        Service(
            name="gateway",
            consumes=(
                on(FillV1, gateway.on_fill, replay=True),
                on(SettlementV1, gateway.on_settlement, replay=True),
                on(PlaceOrderV1, gateway.on_place, command=True),
                on(CancelOrderV1, gateway.on_cancel, command=True),
                on(QueryOrderV1, gateway.on_query, command=True),
                on(VenueUp, gateway.on_up),
                on(VenueDown, gateway.on_down),
                on(VenueReply, gateway.on_reply),
                on(VenueNotice, gateway.on_notice),
            ),
            publishes=frozenset(
                {
                    InstrumentsV1,
                    TicksV1,
                    FeedV1,
                    OrderV1,
                    FillV1,
                    SettlementV1,
                    AccountV1,
                    AlertV1,
                }
            ),
            timers=(every(TICKS_INTERVAL_MS, gateway.on_timer),),
            # An order nobody watches is worse than none: the venue cancels when the link is lost.
            link=LinkSettings(session_name="hedgerow-gateway", cancel_on_disconnect=True),
            start=gateway.start,
            drain=gateway.drain,
            is_drained=gateway.is_drained,
            not_ready=gateway.not_ready,
            readings=gateway.readings,
            core=gateway,
        ),
        *breakers.dependencies(),
    )
