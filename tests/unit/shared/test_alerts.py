from shared.alerts import QUIET_NS, Alerts
from shared.messages.message import decode, encode
from shared.messages.risk import AlertV1

NOW_NS = 1_768_294_800_000_000_000


def test_an_alert_is_said_once_and_again_with_its_count_after_the_quiet():
    alerts = Alerts("gateway")
    (first,) = alerts.raised("book-gap", "info", "a gap", NOW_NS)
    assert first.alert_id == f"gateway-book-gap-{NOW_NS}"
    assert first.text == "a gap (number 1)"
    assert alerts.raised("book-gap", "info", "a gap", NOW_NS + QUIET_NS - 1) == []
    (again,) = alerts.raised("book-gap", "info", "a gap", NOW_NS + QUIET_NS)
    assert again.text == "a gap (number 3)"


def test_each_name_and_underlying_has_its_own_quiet():
    alerts = Alerts("risk", quiet_ns=10)
    (bitcoin,) = alerts.raised("halted", "page", "no lease", NOW_NS, "BTC")
    (ether,) = alerts.raised("halted", "page", "no lease", NOW_NS, "ETH")
    assert bitcoin.text == "BTC: no lease (number 1)"
    assert bitcoin.message_id() != ether.message_id()
    assert alerts.raised("halted", "page", "no lease", NOW_NS + 9, "BTC") == []
    assert len(alerts.raised("ticks_stale", "ticket", "no lease", NOW_NS + 9, "BTC")) == 1
    assert len(alerts.raised("halted", "page", "no lease", NOW_NS + 10, "BTC")) == 1


def test_a_long_text_still_fits_the_message():
    (alert,) = Alerts("risk").raised("halted", "page", "x" * 5000, NOW_NS, "BTC")
    assert decode(AlertV1, encode(alert)) == alert
