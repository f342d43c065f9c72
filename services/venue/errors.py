"""The venue's refusals: Deribit's error codes with their names."""

from typing import Any

NAMES = {
    -32700: "Parse error",
    -32602: "Invalid params",
    -32601: "Method not found",
    10000: "authorization_required",
    10002: "qty_too_low",
    10003: "order_overlap",
    10004: "order_not_found",
    10005: "price_too_low",
    10007: "price_too_high",
    10009: "not_enough_funds",
    10010: "already_closed",
    10012: "book_closed",
    10020: "invalid_or_unsupported_instrument",
    10021: "invalid_amount",
    10022: "invalid_quantity",
    10023: "invalid_price",
    10028: "too_many_requests",
    10029: "not_owner_of_order",
    10030: "must_be_websocket_request",
    10033: "not_implemented",
    10041: "settlement_in_progress",
    10043: "price_wrong_tick",
    10047: "matching_engine_queue_full",
    11008: "already_filled",
    11029: "invalid_arguments",
    11038: "no_adv_for_futures",
    11044: "not_open_order",
    11050: "bad_request",
    11051: "system_maintenance",
    11054: "post_only_reject",
    13004: "invalid_credentials",
    13009: "unauthorized",
    13020: "not_found",
    13021: "forbidden",
    13030: "mmp_trigger",
    13040: "mmp_required",
    13042: "cod_not_enabled",
    13043: "quotes_frozen",
    13403: "scope_exceeded",
    13888: "timed_out",
    13032: "non_unique_order_label",
    13778: "raw_subscriptions_not_available_for_unauthorized",
    11047: "unsupported_arg_combination",
    10024: "invalid_max_show",
    11094: "internal_server_error",
}


class VenueError(Exception):
    """A request is refused; becomes the JSON-RPC error object."""

    def __init__(self, code: int, detail: str = "", data: Any = None) -> None:
        self.code = code
        self.message = f"{NAMES[code]} {detail}" if detail else NAMES[code]
        self.data = data
        super().__init__(self.message)

    def wire(self) -> dict[str, Any]:
        """Returns the error object; `data` only where there is some."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


def invalid(param: str, reason: str) -> VenueError:
    """Returns the refusal of one parameter, in the venue's form."""
    return VenueError(-32602, data={"reason": reason, "param": param})
