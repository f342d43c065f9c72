"""Which desk a person's command speaks to, and what it says when none answers."""

import json
import os
from pathlib import Path

import msgspec
import pytest

from infra import deployment_files, desk_reach, runs
from infra.command import main
from infra.deployment import NATS_SERVERS
from infra.desk_reach import NoAnswerError, UnknownServiceError
from infra.embedded_nats import free_port
from infra.halt_command import has_taken, word_of
from infra.runs import ProcessTable
from infra.status_told import agent
from shared.messages.quoting import QuotingStatusV1

RUNTIME = deployment_files.runtime("compose", NATS_SERVERS, deployment_files.processes().values())


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEDGEROW_HOME", str(tmp_path))
    monkeypatch.delenv("HEDGEROW_RUNTIME", raising=False)
    return tmp_path


def told_by_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """A deployment in which nothing answers: every address is a closed port of this machine."""
    groups = [
        {"targets": [f"127.0.0.1:{free_port()}"], "labels": {"service": name}}
        for name in ("risk-btc", "alerting")
    ]
    (home / "targets.json").write_text(json.dumps(groups), encoding="utf-8")
    facts = {
        "targets_path": str(home / "targets.json"),
        "nats_url": f"nats://127.0.0.1:{free_port()}",
    }
    runtime = msgspec.structs.replace(RUNTIME, **{**facts, **changes})
    (home / "runtime.json").write_bytes(msgspec.json.encode(runtime))
    monkeypatch.setenv("HEDGEROW_RUNTIME", str(home / "runtime.json"))


def test_a_run_of_this_machine_is_found_by_its_folder(home):
    directory = runs.create("run-1")
    runs.write_runtime(directory, msgspec.structs.replace(RUNTIME, directory=str(directory)))
    with pytest.raises(NoAnswerError):
        desk_reach.running()  # no supervisor lives
    table = ProcessTable(supervisor_pid=os.getpid(), started_unix_s=0.0, processes=[])
    runs.write_processes(directory, table)
    desk = desk_reach.running()
    assert desk.directory == directory
    assert desk.address_of("market_making") == "127.0.0.1:9100"


def test_a_desk_that_the_environment_names_comes_before_a_run_here(home, monkeypatch):
    directory = runs.create("run-1")
    runs.write_runtime(directory, RUNTIME)
    table = ProcessTable(supervisor_pid=os.getpid(), started_unix_s=0.0, processes=[])
    runs.write_processes(directory, table)
    told_by_the_environment(home, monkeypatch)
    monkeypatch.setenv("HEDGEROW_BUS_NKEY_FILE", "/run/secrets/bus_nkey")
    desk = desk_reach.running()
    assert desk.directory is None
    assert set(desk.addresses) == {"risk-btc", "alerting"}  # shards by their own names
    assert desk.runtime.bus_seed_path == "/run/secrets/bus_nkey"
    with pytest.raises(UnknownServiceError, match="risk-btc"):
        desk.address_of("risk")


@pytest.mark.parametrize(
    "argv",
    [
        ["halt", "--reason", "x"],
        ["resume", "--reason", "x"],
        ["breaker", "risk-btc"],
        ["status"],
        ["doctor", "--live"],
        ["metrics", "risk-btc"],
        ["alerts"],
    ],
    ids=" ".join,
)
def test_where_nothing_answers_a_command_ends_with_3_and_says_who(home, monkeypatch, capsys, argv):
    told_by_the_environment(home, monkeypatch)
    assert main(argv) == 3
    said = capsys.readouterr().err
    assert "answer" in said
    assert "127.0.0.1" in said or "risk-btc" in said


@pytest.mark.parametrize("argv", [["halt", "--reason", "x"], ["alerts"], ["doctor", "--live"]])
def test_where_nothing_runs_a_command_ends_with_3(capsys, argv):
    assert main(argv) == 3
    assert "no desk is running" in capsys.readouterr().err


def test_an_agent_that_there_is_not_is_wrong_usage(home, monkeypatch, capsys):
    told_by_the_environment(home, monkeypatch)
    assert main(["breaker", "risk"]) == 2
    assert main(["metrics", "risk"]) == 2
    assert "there is no agent risk: risk-btc, alerting" in capsys.readouterr().err


def test_without_the_operators_key_a_halt_is_wrong_configuration(home, monkeypatch, capsys):
    told_by_the_environment(home, monkeypatch)
    monkeypatch.setenv("HEDGEROW_BUS_CA_FILE", str(home / "ca.pem"))
    monkeypatch.setenv("HEDGEROW_BUS_NKEY_FILE", str(home / "no.nk"))
    assert main(["halt", "--reason", "x"]) == 2
    assert "no.nk" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["runtime.json", "targets.json"])
def test_files_that_cannot_be_read_are_wrong_configuration(home, monkeypatch, capsys, missing):
    told_by_the_environment(home, monkeypatch)
    (home / missing).unlink()
    assert main(["alerts"]) == 2
    assert missing in capsys.readouterr().err


def status(state: str, live: int, created_ns: int) -> QuotingStatusV1:
    return QuotingStatusV1(
        created_ns=created_ns, underlying="BTC", state=state, quoted_count=live,
        one_sided_count=0, quotable_count=10, quotes_sent_count=0, quotes_refused_count=0,
        mmp_trigger_count=0, uptime_ratio=1.0,
    )  # fmt: skip


def test_a_halt_is_taken_once_market_making_has_said_so_since_and_nothing_rests():
    word = word_of(RUNTIME, "halt", "all", "x")
    later = word.created_ns + 1
    assert has_taken(status("halted: halted", 0, later), word)
    assert not has_taken(status("halted: halted", 1, later), word)
    assert not has_taken(status("active", 0, later), word)
    assert not has_taken(status("halted: halted", 0, word.created_ns - 1), word)  # a dead one's


def test_a_resume_is_taken_once_the_halt_is_not_the_reason():
    word = word_of(RUNTIME, "resume", "all", "x")
    later = word.created_ns + 1
    assert has_taken(status("halted: no lease", 0, later), word)
    assert not has_taken(status("halted: halted", 0, later), word)
    assert not has_taken(status("active", 5, word.created_ns - 1), word)


def test_what_only_its_own_machine_knows_of_an_agent_is_absent():
    ready = {"is_ready": True, "reason": "", "breakers": {"ticks": "open"}}
    found = agent("risk", ready, None)
    assert found.pop("breakers") == [{"dependency": "ticks", "state": "open", "fallback": ""}]
    assert found == {"service": "risk", "health": "ready", "is_ready": True}
    assert agent("risk", None, None) == {"service": "risk", "health": "silent", "is_ready": False}
