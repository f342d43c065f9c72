"""Planted secrets on every way out: log lines, tracebacks, standard error, spans."""

import base64
import io
import json
import logging
import os
import signal
import subprocess
import sys
import traceback

import nkeys
import pytest
import structlog

from shared import redaction
from shared.configuration import ConfigurationError
from shared.redaction import HIDDEN, RedactedStream, read_secret, redact, remember
from shared.span_export import SpanExport, SpanSpool
from shared.spans import CLIENT, Spans, form_of, resource_of
from shared.telemetry import open_log
from shared.venue_link import VenueRequest
from tests.integration.server import CLOCK
from tests.unit.shared.collected import Collected

VENUE_SECRET = 'pLanted-"venue"-secret/9f3'
UNKNOWN = "kJ83-nobody-was-told-of-it"
SEED = bytes(nkeys.encode_seed(b"\x07" * 32, nkeys.PREFIX_BYTE_USER)).decode()
FIX_PASSWORD = "mQ2Rr1Vh0b0mPmyYkS8aCk8="


@pytest.fixture(autouse=True)
def planted(tmp_path, monkeypatch):
    monkeypatch.setattr(redaction, "_known", set())
    redaction._redact_short.cache_clear()
    path = tmp_path / "venue.secret"
    path.write_text(VENUE_SECRET + "\n")
    assert read_secret(str(path)) == VENUE_SECRET
    yield
    structlog.reset_defaults()


def spoken(text):
    """Every form in which a secret could be read back."""
    forms = (VENUE_SECRET, json.dumps(VENUE_SECRET)[1:-1], SEED, FIX_PASSWORD, UNKNOWN)
    encoded = base64.b64encode(VENUE_SECRET.encode()).decode()
    return [one for one in (*forms, encoded) if one in text]


def failing(secret):
    raise RuntimeError(f"the venue refused {secret}")


@pytest.mark.parametrize(
    "text",
    [
        f"no luck with {VENUE_SECRET}!",
        json.dumps({"params": {"client_id": "x", "client_secret": VENUE_SECRET}}),
        f"basic {base64.b64encode(VENUE_SECRET.encode()).decode()}",
        f"signing with {SEED}",
        f"8=FIX.4.4\x0135=A\x01554={FIX_PASSWORD}\x0110=000\x01",
        f"8=FIX.4.4|35=A|96=1700.{FIX_PASSWORD}|554={FIX_PASSWORD}|10=000|",
        repr(f"35=A\x01554={FIX_PASSWORD}\x01"),
        json.dumps({"frame": f"35=A\x01554={FIX_PASSWORD}\x01"}),
        f"{{'grant_type': 'client_credentials', 'client_secret': '{UNKNOWN}'}}",
        f"auth(client_secret='{UNKNOWN}')",
        json.dumps({"body": json.dumps({"refresh_token": UNKNOWN})}),
        f"https://venue/api?client_id=x&client_secret={UNKNOWN}&scope=y",
        f"Authorization: Bearer {UNKNOWN}",
        f"-----BEGIN PRIVATE KEY-----\n{UNKNOWN}\n-----END PRIVATE KEY-----",
    ],
)
def test_a_secret_is_hidden_and_the_rest_stays(text):
    assert spoken(text)
    clean = redact(text)
    assert not spoken(clean)
    assert HIDDEN in clean


@pytest.mark.parametrize(
    "text",
    [
        '{"event": "agent_started", "http_port": 8123, "service": "risk"}',
        "orders.place.v1 was refused: maximum messages reached",
        "password_of() takes two arguments",
        "554 quotes, 96 of them two-sided",
        "SUBSCRIPTION",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redact(text) == text


def test_nothing_short_is_taken_for_a_secret():
    remember("")
    remember("BTC")
    assert redact("BTC-PERPETUAL") == "BTC-PERPETUAL"


def test_a_file_that_is_not_there_is_named_and_nothing_else(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere"):
        read_secret(str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match="not told"):
        read_secret("")


def test_log_lines_and_tracebacks_hide_them_and_are_whole(tmp_path):
    path = tmp_path / "agent.log"
    log = open_log("gateway", "run", CLOCK, path)
    log.warning("venue_refused", request=VenueRequest(1, "public/auth", {"client_secret": UNKNOWN}))
    log.info(
        "told", seed=SEED, nested={"list": [VENUE_SECRET]}, frame=f"\x01554={FIX_PASSWORD}\x01"
    )
    try:
        failing(VENUE_SECRET)
    except RuntimeError as error:
        log.error("agent_failed", reason=str(error), exc_info=error)  # noqa: TRY400
    log.info("told", words=UNKNOWN)  # of which nothing says that it is one: it is told
    lines = path.read_text().splitlines()
    assert not spoken("\n".join(lines[:-1]))
    assert spoken(lines[-1]) == [UNKNOWN]
    events = [json.loads(line) for line in lines]
    assert [event["event"] for event in events] == [
        "venue_refused", "told", "agent_failed", "told",
    ]  # fmt: skip
    assert events[2]["reason"] == f"the venue refused {HIDDEN}"
    assert "failing(VENUE_SECRET)" in events[2]["exception"]


def test_what_is_printed_to_standard_error_is_looked_through(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", RedactedStream(stream))
    assert logging.lastResort is not None
    logging.lastResort.handle(logging.makeLogRecord({"msg": f"cannot use {VENUE_SECRET}"}))
    sys.stderr.writelines([f"{SEED}\n"])
    try:
        failing(VENUE_SECRET)
    except RuntimeError:
        traceback.print_exc()
    sys.stderr.flush()
    assert not spoken(stream.getvalue())
    assert stream.getvalue().count(HIDDEN) == 3


@pytest.mark.parametrize("is_redacted", [True, False])
def test_spans_hide_them_and_would_not_without(is_redacted, tmp_path, monkeypatch):
    if not is_redacted:
        monkeypatch.setattr("shared.spans.redact", lambda text: text)
    collected = Collected()
    path = tmp_path / "gateway.spans"
    export = SpanExport(resource_of("gateway"), collected.take, SpanSpool(path))
    params = json.dumps({"client_secret": UNKNOWN})
    attributes = {"params": params, "reason": f"refused {VENUE_SECRET}", "count": 3}
    span = Spans(export.take).start(form_of(f"send {SEED}", CLIENT), 1, attributes, is_order=True)
    span.set("error.type", f"logon 554={FIX_PASSWORD}")
    span.end(2)
    spooled = path.read_bytes().decode("latin-1")
    export.close()
    text = b"".join(collected.requests).decode("latin-1")
    (sent,) = collected.spans()
    assert bool(spoken(text)) != is_redacted
    assert bool(spoken(spooled)) != is_redacted
    assert sent.attributes["count"] == 3
    assert sent.resource["service.name"] == "gateway"


CRASH = """
import os, resource, signal, sys
hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
if sys.argv[1] == "forbidden":
    from shared.core_dumps import forbid_core_dumps
    forbid_core_dumps()
    import ctypes
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0, "PR_GET_DUMPABLE"
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
os.kill(os.getpid(), signal.SIGSEGV)
"""


def test_a_crash_leaves_no_core(tmp_path):
    assert not left_a_core("forbidden", tmp_path)
    if not left_a_core("allowed", tmp_path):
        pytest.skip("no process can leave a core here: the other leg shows nothing")


def left_a_core(leg, directory):
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}  # noqa: PTH109
    argv = [sys.executable, "-c", CRASH, leg]
    process = subprocess.Popen(argv, cwd=directory, env=environment, stderr=subprocess.DEVNULL)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -os.WTERMSIG(status)
    assert os.WTERMSIG(status) == signal.SIGSEGV
    return os.WCOREDUMP(status)
