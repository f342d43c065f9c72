import pytest

from infra.alerting.conditions import Condition, History, Sample
from infra.alerting.core import Alerting
from infra.alerting.declared import Alert
from infra.alerting.words import Notify, Scraped
from shared.clock import NS_PER_S
from shared.messages.desk import PageV1
from shared.messages.risk import AlertV1

OFFSET_S = 1_000  # desk time is ahead of the time of day
STALE = Condition("tick_age_seconds", ">", 3, ("underlying",))
SILENT = Condition("up", "<", 1, ("service",), "min")
QUOTED = Condition("quote_venue_count", ">", 0, ("underlying",))
ALERTS = (
    Alert("FeedStale", "page", "trading", "{underlying}: {value} s", (STALE,), for_s=2, keep_s=3),
    Alert("AgentSilent", "page", "platform", "{service} is silent", (SILENT,), keep_s=0),
    Alert("LimitNear", "ticket", "risk", "{underlying}", (QUOTED, STALE), keep_s=0),
)


def sample(name, value, **labels):
    return Sample(name, tuple(sorted(labels.items())), value)


def age(seconds, underlying="BTC"):
    return sample("tick_age_seconds", seconds, underlying=underlying, service="risk")


def look(core, unix_s, *samples):
    """Returns what the core says at one look: (notify, page), or None."""
    created_ns = (unix_s + OFFSET_S) * NS_PER_S
    said = list(core.on_scraped(Scraped(created_ns, float(unix_s), samples)))
    if not said:
        return None
    notify, page = said
    assert isinstance(notify, Notify)
    assert isinstance(page, PageV1)
    return notify, page


def test_an_alert_is_raised_once_its_condition_has_held_for_its_time():
    core = Alerting(ALERTS)
    assert look(core, 100, age(9)) is None
    assert look(core, 101, age(10)) is None
    notify, page = look(core, 102, age(11))
    [raised] = notify.raised
    assert raised.labels == {"underlying": "BTC"}
    assert (raised.since_unix_s, raised.detected_unix_s) == (100.0, 102.0)
    assert raised.text == "BTC: 11 s"
    assert page.severity == "page"
    assert page.raised[0].since_ns == (100 + OFFSET_S) * NS_PER_S
    assert look(core, 103, age(12)) is None


def test_a_condition_that_flickers_begins_anew():
    core = Alerting(ALERTS)
    look(core, 100, age(9))
    look(core, 101, age(0))
    assert look(core, 102, age(9)) is None
    assert look(core, 103, age(9)) is None
    assert look(core, 104, age(9)) is not None


def test_an_alert_ends_only_when_it_has_been_quiet_for_a_while():
    core = Alerting(ALERTS)
    for second in range(100, 103):
        look(core, second, age(9))
    assert look(core, 103, age(0)) is None
    assert look(core, 104, age(9)) is None
    for second in (105, 106):
        assert look(core, second, age(0)) is None
    notify, page = look(core, 107, age(0))
    assert [one.name for one in notify.ended] == ["FeedStale"]
    assert notify.active == ()
    assert page.severity == "info"
    assert core.report()["ended"][0]["ended_unix_s"] == 107.0


def test_what_comes_at_once_is_one_page_that_names_the_worst_first():
    core = Alerting(ALERTS)
    silent = [sample("up", 0.0, service=f"agent_{number}") for number in range(70)]
    for second in (100, 101):
        look(core, second, age(9), age(9, "ETH"))
    notify, page = look(core, 102, age(9), age(9, "ETH"), *silent)
    assert len(notify.raised) == 72
    assert page.raised[0].name == "AgentSilent"
    assert page.text.endswith("(and 71 more)")
    assert len(page.raised) == 64
    assert [one.name for one in core.active()[:1]] == ["AgentSilent"]


def test_conditions_of_one_alert_are_joined_on_their_common_labels():
    core = Alerting(ALERTS)
    quoted = sample("quote_venue_count", 3.0, underlying="ETH", service="venue")
    assert look(core, 100, age(9, "BTC"), quoted) is None
    notify, _page = look(core, 101, age(9, "BTC"), age(9, "ETH"), quoted)
    assert [one.labels for one in notify.raised] == [{"underlying": "ETH"}]


def test_an_agents_own_words_are_the_text():
    alarm = Condition("alert_raised", ">", 0, ("alert", "service"), "max", {}, "birth", 60)
    core = Alerting((Alert("AgentAlarm", "page", "risk", "{service} raised {alert}", (alarm,)),))
    list(
        core.on_alert(
            AlertV1(
                created_ns=1, alert_id="a", name="hard_limit", severity="page",
                text="vega at 2.1 of its limit", source="risk",
            )
        )
    )  # fmt: skip
    heard = sample("alert_raised_total", 1.0, alert="other", service="risk")
    assert look(core, 99, heard) is None
    raised = sample("alert_raised_total", 1.0, alert="hard_limit", service="risk")
    notify, _page = look(core, 100, heard, raised)
    [one] = notify.raised
    assert one.text == "risk raised hard_limit: vega at 2.1 of its limit"


def judged(condition, *looks):
    """Returns the values after looks a second apart; each is a value, or None for no answer."""
    history = History((condition,))
    for second, value in enumerate(looks):
        found = [] if value is None else [sample(condition.series, value, service="risk")]
        history.add(float(second), found)
    return [value for _labels, value in history.values(condition)]


@pytest.mark.parametrize(
    ("looks", "grown"),
    [
        ((5.0, 5.0, 5.0), 0.0),
        ((5.0, 6.0, 8.0), 3.0),
        ((5.0, 0.0, 2.0), 2.0),  # a new process counts from nothing
        ((5.0, None, 7.0), 2.0),
        ((1.0, *[4.0] * 20), 0.0),  # beyond the window
    ],
)
def test_growth_of_a_counter(looks, grown):
    condition = Condition("message_dead_lettered", ">", 0, window_s=10, over="increase")
    assert judged(condition, *looks) == [grown]


def test_changes_are_counted_and_a_pause_is_none():
    condition = Condition("process_start_time_seconds", ">", 0, window_s=60, over="changes")
    assert judged(condition, 7.0, None, None, 7.0) == [0.0]
    assert judged(condition, 7.0, None, 9.0, 9.0) == [1.0]


def test_a_target_that_does_not_answer_has_no_value():
    assert judged(STALE, 9.0) == [9.0]
    assert judged(STALE, 9.0, None) == []
