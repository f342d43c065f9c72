import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from infra.runs import hold, read_processes, release
from infra.supervisor import RESTARTS_MAX, Program, Supervisor, loud_part
from tests.integration.server import until


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path


def sleeper(name: str = "sleeper") -> Program:
    return Program(name, [sys.executable, "-c", "import time; time.sleep(60)"])


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_what_dies_is_started_again(directory):
    supervisor = Supervisor(directory, lambda _text: None)
    await supervisor.start(sleeper())
    entry = supervisor.supervised["sleeper"]
    first = entry.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: entry.is_running and entry.pid != first)
    await supervisor.close()
    assert entry.restarts == 1
    assert not is_there(entry.pid)


async def test_a_crash_loop_is_given_up_loudly(directory):
    said: list[str] = []
    supervisor = Supervisor(directory, said.append)
    await supervisor.start(Program("broken", [sys.executable, "-c", "raise SystemExit('boom')"]))
    reason = await asyncio.wait_for(asyncio.shield(supervisor.failed), 20)
    await supervisor.close()
    assert f"broken died {RESTARTS_MAX + 1} times" in reason
    assert "boom" in reason
    assert len(said) == RESTARTS_MAX + 1


async def test_a_stopped_process_still_ends_on_time(directory):
    supervisor = Supervisor(directory, lambda _text: None)
    await supervisor.start(sleeper())
    entry = supervisor.supervised["sleeper"]
    os.kill(entry.pid, signal.SIGSTOP)
    codes = await asyncio.wait_for(supervisor.stop(["sleeper"]), 5)
    assert codes == {"sleeper": -signal.SIGTERM}
    await supervisor.close()


async def test_what_was_stopped_on_purpose_stays_down(directory):
    supervisor = Supervisor(directory, lambda _text: None)
    await supervisor.start(sleeper())
    await supervisor.stop(["sleeper"])
    await asyncio.sleep(0)
    table = read_processes(directory)
    assert table is not None
    assert [(one.is_running, one.restarts) for one in table.processes] == [(False, 0)]
    await supervisor.close()


async def test_children_die_with_the_supervisor(directory):
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from infra.supervisor import Program, Supervisor\n"
        "async def main():\n"
        "    supervisor = Supervisor(Path(sys.argv[1]), print)\n"
        "    argv = [sys.executable, '-c', 'import time; time.sleep(60)']\n"
        "    await supervisor.start(Program('child', argv))\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(directory))
    await until(lambda: read_processes(directory) is not None)
    table = read_processes(directory)
    assert table is not None
    child = table.processes[0].pid
    parent.kill()
    await parent.wait()
    await until(lambda: not is_there(child))


def test_a_persons_eye_gets_only_what_went_wrong():
    assert loud_part('{"level": "info", "event": "agent_started"}') == ""
    loud = loud_part('{"level": "error", "event": "failed", "reason": "no NATS", "time": "now"}')
    assert loud == "  now failed: no NATS"
    assert loud_part("Segmentation fault") == "Segmentation fault"


async def test_what_is_held_stays_dead_until_it_is_released(directory):
    supervisor = Supervisor(directory, lambda _text: None)
    await supervisor.start(sleeper())
    entry = supervisor.supervised["sleeper"]
    first = entry.pid
    hold(directory, "sleeper")
    os.kill(first, signal.SIGKILL)
    await until(lambda: not entry.is_running)
    await asyncio.sleep(0.5)
    assert not entry.is_running
    release(directory, "sleeper")
    await until(lambda: entry.is_running and entry.pid != first)
    hold(directory, "sleeper")
    os.kill(entry.pid, signal.SIGKILL)
    await asyncio.wait_for(supervisor.close(), 5)  # a hold does not hold up the end
