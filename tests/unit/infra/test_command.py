import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra import desk_config, desk_plan, doctor, runs
from infra.command import main, moment
from shared.clock import SystemClock
from shared.configuration import ConfigurationError
from shared.messages.registry import KINDS


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEDGEROW_HOME", str(tmp_path))
    return tmp_path


def test_every_command_has_help(capsys):
    for command in ("up", "venue", "status", "doctor", "simulate", "check-config", "schema"):
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
        assert command in capsys.readouterr().out


def test_wrong_usage_ends_with_2():
    with pytest.raises(SystemExit) as ended:
        main(["up", "--seconds", "-1"])
    assert ended.value.code == 2


def test_status_of_nothing_ends_with_3(capsys):
    assert main(["status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == {"is_running": False, "agents": []}


def test_the_command_has_another_name():
    done = subprocess.run(
        [sys.executable, "-m", "services", "schema", "orders.fill.v1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "trade_id" in done.stdout


def test_schema_knows_every_message_and_no_other(capsys):
    for tag in KINDS:
        assert main(["schema", tag]) == 0
    capsys.readouterr()
    assert main(["schema", "orders.nonsense.v1"]) == 2
    assert "no message orders.nonsense.v1" in capsys.readouterr().err


def test_printed_defaults_are_a_valid_configuration(tmp_path, capsys):
    assert main(["check-config"]) == 0
    path = tmp_path / "desk.toml"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["check-config", str(path)]) == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[desk]\nunderlings = ['BTC']", "[desk]: Object contains unknown field `underlings`"),
        ("[desk]\ntrace_ratio = nan", "[desk]"),
        ("[desk]\ntrace_ratio = 2", "[desk]"),
        ("[nobody]\nx = 1", "[nobody] is no table"),
        ("loose = 1", "outside any table"),
        ("[desk", "desk.toml"),
    ],
)
def test_a_bad_configuration_is_refused_by_name(tmp_path, capsys, text, complaint):
    path = tmp_path / "desk.toml"
    path.write_text(text, encoding="utf-8")
    assert main(["check-config", str(path)]) == 2
    assert complaint in capsys.readouterr().err
    assert main(["up", "--config", str(path)]) == 2
    assert not (tmp_path / "runs").exists(), "a run was made for a desk that cannot start"


def test_a_missing_file_is_named(capsys):
    assert main(["check-config", "/nowhere/desk.toml"]) == 2
    assert "/nowhere/desk.toml" in capsys.readouterr().err
    assert main(["up", "--chain", "/nowhere/chain.csv.gz"]) == 2
    assert "/nowhere/chain.csv.gz" in capsys.readouterr().err


def test_a_time_at_the_start_shifts_the_clock_of_the_whole_desk(capsys):
    at_ns = 1_770_883_140_000_000_000
    assert moment("2026-02-12T07:59") == moment("2026-02-12T08:59+01:00") == at_ns
    plan = desk_plan.make("", "", 1, None, at_ns=at_ns)
    now_ns = SystemClock(plan.runtime.clock_offset_ns).wall_ns()
    assert 0 <= now_ns - at_ns < 60 * 10**9
    with pytest.raises(SystemExit) as ended:
        main(["up", "--at", "noon"])
    assert ended.value.code == 2
    assert "noon is no time" in capsys.readouterr().err
    with pytest.raises(ConfigurationError, match="without a chain"):
        desk_plan.make("", "", 1, "deribit-test", at_ns=at_ns)


def test_the_test_net_needs_keys(monkeypatch):
    monkeypatch.delenv("DERIBIT_TEST_CLIENT_ID", raising=False)
    with pytest.raises(ConfigurationError, match="DERIBIT_TEST_CLIENT_ID"):
        desk_plan.make("", "", 1, "deribit-test")


def test_a_test_net_out_of_reach_is_said_clearly(monkeypatch):
    monkeypatch.setenv("DERIBIT_TEST_CLIENT_ID", "x")
    monkeypatch.setenv("DERIBIT_TEST_CLIENT_SECRET", "y")

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(desk_plan.socket, "create_connection", refuse)
    with pytest.raises(ConfigurationError, match=r"cannot be reached from here \(no route\)"):
        desk_plan.make("", "", 1, "deribit-test")


def test_a_runs_secrets_are_for_this_user_only(home):
    plan = desk_plan.make("", "", 1, None)
    for name in ("venue.secret", "runtime.json"):
        assert (plan.directory / name).stat().st_mode & 0o077 == 0
    secret = runs.read_secret(plan.directory)
    assert secret not in (plan.directory / "runtime.json").read_text()
    assert runs.current() == plan.directory


def test_old_runs_are_dropped_and_living_ones_kept(home):
    made = [runs.create(f"run-{number:02}") for number in range(runs.RUNS_KEPT_MAX + 3)]
    left = {path.name for path in (home / "runs").iterdir()}
    assert len(left) == runs.RUNS_KEPT_MAX
    assert made[-1].name in left
    assert runs.current() == made[-1]


def test_this_machine_is_well(home):
    findings = {finding.check: finding for finding in doctor.examine(home)}
    assert findings["python"].is_ok
    assert findings["native core"].is_ok
    assert findings["nats-server"].is_ok
    assert all(finding.found for finding in findings.values())


def test_a_sick_machine_gets_advice(monkeypatch, home, capsys):
    monkeypatch.setattr(doctor.shutil, "which", lambda _name: None)
    monkeypatch.setattr(doctor, "OPEN_FILES_MIN", 10**9)
    assert main(["doctor"]) == 1
    printed = capsys.readouterr().out
    assert "install gcc" in printed
    assert "ulimit -n" in printed


def test_defaults_name_every_table():
    assert set(desk_config.all_defaults()) == {"desk", "alerting", *desk_plan.SERVICES}
