"""Session methods: login, heartbeats, subscriptions, cancel-on-disconnect, time and status."""

from typing import Any

from services.venue.errors import VenueError, invalid
from services.venue.floor import Context, Floor, Method, Table
from services.venue.rpc.channels import CHANNELS_MAX, NOBODY, PRIVATE
from shared.clock import NS_PER_MS, NS_PER_S

VERSION = "1.2.26"
HEARTBEAT_S_MIN = 10
CHANNELS_PER_CALL_MAX = 1_000


class SessionMethods:
    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._account_scopes: set[int] = set()  # accounts with cancel-on-disconnect throughout

    def table(self) -> Table:
        return {
            "public/auth": Method(self.auth),
            "public/hello": Method(lambda _c: {"version": VERSION}),
            "public/test": Method(self.test),
            "public/get_time": Method(lambda c: c.now_ns // NS_PER_MS),
            "public/status": Method(lambda _c: {"locked": "false", "locked_currencies": []}),
            "public/set_heartbeat": Method(self.set_heartbeat, is_websocket_only=True),
            "public/disable_heartbeat": Method(self.disable_heartbeat, is_websocket_only=True),
            "public/subscribe": Method(self.subscribe, cost="subscribe", is_websocket_only=True),
            "public/unsubscribe": Method(self.unsubscribe, is_websocket_only=True),
            "public/unsubscribe_all": Method(self.unsubscribe_all, is_websocket_only=True),
            "private/subscribe": Method(
                self.subscribe, cost="subscribe", is_private=True, is_websocket_only=True
            ),
            "private/unsubscribe": Method(
                self.unsubscribe, is_private=True, is_websocket_only=True
            ),
            "private/unsubscribe_all": Method(
                self.unsubscribe_all, is_private=True, is_websocket_only=True
            ),
            "private/logout": Method(self.logout, is_private=True, is_websocket_only=True),
            "private/enable_cancel_on_disconnect": Method(
                self.enable_cod, is_private=True, is_websocket_only=True, needs="account"
            ),
            "private/disable_cancel_on_disconnect": Method(
                self.disable_cod, is_private=True, is_websocket_only=True, needs="account"
            ),
            "private/get_cancel_on_disconnect": Method(self.get_cod, is_private=True),
        }

    def auth(self, call: Context) -> dict[str, Any]:
        was = call.connection.account_id
        result = self._floor.sessions.login(call.params, call.connection, call.now_ns, call.real_ns)
        if was not in (NOBODY, call.connection.account_id):
            self.drop_private(call.connection.connection_id, was, call)
        if call.connection.account_id in self._account_scopes:
            call.connection.cancel_on_disconnect = True
        return result

    def test(self, call: Context) -> dict[str, str]:
        call.connection.test_request_ns = 0
        if call.params.text("expected_result", "") == "exception":
            raise VenueError(11094, data={"reason": "expected by the caller"})
        return {"version": VERSION}

    def set_heartbeat(self, call: Context) -> str:
        interval_s = call.params.integer("interval")
        if interval_s < HEARTBEAT_S_MIN:
            raise invalid("interval", f"must be at least {HEARTBEAT_S_MIN}")
        if interval_s > 3_600:
            raise invalid("interval", "must be at most 3600")
        connection = call.connection
        connection.heartbeat_ns = interval_s * NS_PER_S
        connection.next_heartbeat_ns = call.now_ns + connection.heartbeat_ns
        connection.test_request_ns = 0
        return "ok"

    def disable_heartbeat(self, call: Context) -> str:
        call.connection.heartbeat_ns = call.connection.test_request_ns = 0
        return "ok"

    def subscribe(self, call: Context) -> list[str]:
        """Returns the channels that were taken; what they show now follows the answer."""
        floor, connection = self._floor, call.connection
        names = list(dict.fromkeys(call.params.texts("channels", CHANNELS_PER_CALL_MAX)))
        if len(connection.channels) + len(names) > CHANNELS_MAX:
            raise VenueError(11050, data={"reason": f"at most {CHANNELS_MAX} channels"})
        taken = floor.registry.subscribe(connection.connection_id, call.account_id, names)
        for channel, key in taken:
            connection.channels.add(channel.name)
            if channel.is_private:
                floor.user_feeds.on_subscribed(channel, key, connection.connection_id)
            else:
                floor.market_feeds.on_subscribed(
                    channel, key, connection.connection_id, call.now_ns
                )
        return [channel.name for channel, _ in taken]

    def unsubscribe(self, call: Context) -> list[str]:
        names = call.params.texts("channels", CHANNELS_PER_CALL_MAX)
        left = self._floor.registry.unsubscribe(
            call.connection.connection_id, call.account_id, names
        )
        call.connection.channels.difference_update(left)
        return left

    def unsubscribe_all(self, call: Context) -> str:
        self._floor.registry.unsubscribe(
            call.connection.connection_id, call.account_id, sorted(call.connection.channels)
        )
        call.connection.channels.clear()
        return "ok"

    def drop_private(self, connection_id: int, account_id: int, call: Context) -> None:
        """Takes an account's channels off a connection that is no longer logged in to it."""
        private = sorted(name for name in call.connection.channels if name.startswith(PRIVATE))
        self._floor.registry.unsubscribe(connection_id, account_id, private)
        call.connection.channels.difference_update(private)

    def logout(self, call: Context) -> str:
        """Ends the login; the venue then closes the connection, and cancels nothing."""
        connection = call.connection
        if call.params.boolean("invalidate_token", default=True):
            self._floor.sessions.revoke(connection)
        connection.cancel_on_disconnect = False
        connection.close_reason = "logged out"
        return "ok"

    def enable_cod(self, call: Context) -> str:
        if self._scope(call) == "account":
            self._account_scopes.add(call.account_id)
        call.connection.cancel_on_disconnect = True
        return "ok"

    def disable_cod(self, call: Context) -> str:
        if self._scope(call) == "account":
            self._account_scopes.discard(call.account_id)
        call.connection.cancel_on_disconnect = False
        return "ok"

    def get_cod(self, call: Context) -> dict[str, Any]:
        scope = self._scope(call)
        if scope == "account":
            return {"scope": scope, "enabled": call.account_id in self._account_scopes}
        return {"scope": scope, "enabled": call.connection.cancel_on_disconnect}

    def _scope(self, call: Context) -> str:
        return call.params.choice("scope", ("connection", "account"), "connection")
