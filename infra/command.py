"""The command `hedgerow` (also `python -m services`).

Exit codes: 0 well · 1 something failed or a check found a fault · 2 wrong usage or configuration ·
3 nothing is running, or does not answer · 4 a process kept crashing.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from rich.console import Console

from infra import watch_commands
from infra.desk_reach import NoAnswerError, UnknownServiceError
from infra.operator_bus import RefusedError
from shared.clock import NS_PER_S
from shared.configuration import ConfigurationError
from shared.recorded_chain import ChainError

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NOT_RUNNING = 0, 1, 2, 3

# argparse gives what `add_subparsers` returns no public name.
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    arguments = parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except (ConfigurationError, ChainError, UnknownServiceError) as error:
        print(f"hedgerow: {error}", file=sys.stderr)
        return EXIT_USAGE
    except RefusedError as error:
        print(f"hedgerow: {error}", file=sys.stderr)
        return EXIT_FAILED
    except NoAnswerError as error:
        print(f"hedgerow: {error}", file=sys.stderr)
        return EXIT_NOT_RUNNING
    except KeyboardInterrupt:
        return EXIT_FAILED


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="hedgerow",
        description="An options market-making desk run by a row of cooperating agents.",
        epilog=__doc__.partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    add_up(commands)
    add_venue(commands)
    add_status(commands)
    add_halts(commands)
    add_breaker(commands)
    watch_commands.add(commands)
    add_doctor(commands)
    add_trace(commands)
    add_simulate(commands)
    add_check_config(commands)
    add_schema(commands)
    return top


def add_up(commands: Commands) -> None:
    up = commands.add_parser(
        "up",
        help="run the desk: NATS, the venue and every agent, under a supervisor",
        description=(
            "Runs the desk until Ctrl-C or --seconds, then pulls all quotes, drains, and prints "
            "the end-of-day report. Without --chain the venue lists a chain by its own rules."
        ),
    )
    up.add_argument("--seconds", type=positive, metavar="N", help="stop after N seconds")
    up.add_argument(
        "--chain", default="", metavar="FILE.csv.gz", help="start from a recorded chain"
    )
    up.add_argument(
        "--at", type=moment, metavar="TIME", help="the desk's time at the start, ISO 8601, UTC"
    )
    up.add_argument("--seed", type=int, metavar="N", help="of the simulated market (else random)")
    up.add_argument("--report", metavar="FILE.json", help="write the end-of-day report as JSON")
    up.add_argument("--config", default="", metavar="desk.toml", help="see `hedgerow check-config`")
    up.add_argument(
        "--shards", action="store_true", help="a process per underlying where nothing is shared"
    )
    up.add_argument("--headless", action="store_true", help="no live view")
    up.add_argument("--venue", choices=("simulated", "deribit-test"), help="default: simulated")
    up.set_defaults(command=run_up)


def add_venue(commands: Commands) -> None:
    venue = commands.add_parser(
        "venue",
        help="run the simulated exchange alone, with its crowd",
        description=(
            "Serves Deribit's public interface (JSON-RPC over WebSocket, HTTP GET and POST) on "
            "loopback until Ctrl-C. With --json the first line of output is a JSON object with "
            "http_url, ws_url, client_id and client_secret of a test account."
        ),
    )
    venue.add_argument("--port", type=int, default=0, metavar="N", help="default: any free port")
    venue.add_argument("--chain", default="", metavar="FILE", help="start from a recorded chain")
    venue.add_argument("--seed", type=int, metavar="N", help="of the market (else random)")
    venue.add_argument("--config", default="", metavar="desk.toml")
    venue.add_argument("--json", action="store_true", help="machine-readable first line")
    venue.set_defaults(command=run_venue)


def add_status(commands: Commands) -> None:
    status = commands.add_parser(
        "status",
        help="what the running desk is doing",
        description="Agents, quotes, positions, greeks and P&L of the newest run; 3 if none runs.",
    )
    status.add_argument("--json", action="store_true")
    status.set_defaults(command=run_status)


def add_halts(commands: Commands) -> None:
    for name, text, description in (
        (
            "halt",
            "stop quoting: every quote is pulled, hedging goes on",
            "Latched: it holds over restarts until `hedgerow resume`.",
        ),
        (
            "resume",
            "let quoting go on after a halt, and open the latches of executions",
            "Also lifts a halt that risk gave. Losses count anew from here.",
        ),
    ):
        word = commands.add_parser(name, help=text, description=description)
        word.add_argument("underlying", nargs="?", default="all", metavar="UNDERLYING")
        word.add_argument("--reason", required=True, metavar="TEXT", help="kept in the record")
        word.add_argument("--json", action="store_true")
        word.set_defaults(command=run_halt, action=name)


def add_breaker(commands: Commands) -> None:
    breaker = commands.add_parser(
        "breaker",
        help="a person's word on an agent's circuit breaker",
        description=(
            "Without an option: how the breakers of SERVICE stand. A forced state stays over "
            "restarts until --reset, which also closes a latched breaker."
        ),
    )
    breaker.add_argument("service", metavar="SERVICE")
    breaker.add_argument("dependency", nargs="?", default="", metavar="DEPENDENCY")
    action = breaker.add_mutually_exclusive_group()
    for name, text in (
        ("force-open", "serve the fallback, whatever the dependency does"),
        ("disable", "trust the dependency, whatever it does"),
        ("metrics-only", "trust it, and go on counting"),
        ("reset", "close it, with nothing remembered"),
    ):
        const = name.replace("-", "_")
        action.add_argument(
            f"--{name}", dest="action", action="store_const", const=const, help=text
        )
    breaker.add_argument("--reason", default="", metavar="TEXT", help="kept in the record")
    breaker.add_argument("--json", action="store_true")
    breaker.set_defaults(command=run_breaker)


def add_doctor(commands: Commands) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="is this machine able to run the desk? with --live: is the running desk well?",
        description=(
            "Without --live: examines the machine. With it: walks the tree that an on-call would "
            "(agents, bus, venue, feed, surface, limits, lease, quotes, orders, journal, alerts) "
            "and says what is wrong, worst first, each with its runbook. 0: all is well; 1: "
            "something is wrong; 3: no desk runs."
        ),
    )
    doctor.add_argument("--live", action="store_true", help="the running desk, not the machine")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(command=run_doctor)


def add_trace(commands: Commands) -> None:
    trace = commands.add_parser(
        "trace",
        help="draw the trace of a fill or an order, from Jaeger",
        description=(
            "Fetches a trace from Jaeger's query API and draws its waterfall. Needs a desk with "
            "[desk] otlp_endpoint; 3 if Jaeger does not answer, 1 if it has no such trace."
        ),
    )
    trace.add_argument("what", metavar="FILL|ORDER|TRACE_ID")
    trace.add_argument(
        "--jaeger", default="", metavar="URL", help="default: HEDGEROW_JAEGER_URL, or port 16686"
    )
    trace.add_argument("--json", action="store_true", help="the spans, for a machine")
    trace.set_defaults(command=run_trace)


def add_simulate(commands: Commands) -> None:
    simulate = commands.add_parser(
        "simulate",
        help="the whole desk in one process on a simulated bus and clock",
        description=(
            "Same seed, same final state hash. --faults delays, drops, doubles and reorders "
            "messages, crashes and stalls agents and cuts venue sessions, all from the seed."
        ),
    )
    simulate.add_argument("--seed", type=int, default=1, metavar="S")
    simulate.add_argument("--hours", type=float, default=1.0, metavar="H", help="simulated time")
    simulate.add_argument("--faults", action="store_true")
    simulate.add_argument("--config", default="", metavar="desk.toml")
    simulate.add_argument("--json", action="store_true")
    simulate.set_defaults(command=run_simulate)


def add_check_config(commands: Commands) -> None:
    check = commands.add_parser(
        "check-config",
        help="validate a desk.toml, or print every key with its default",
        description="With a file: says what is wrong in it. Without: prints all defaults as TOML.",
    )
    check.add_argument("file", nargs="?", default="", metavar="desk.toml")
    check.add_argument("--json", action="store_true")
    check.set_defaults(command=run_check_config)


def add_schema(commands: Commands) -> None:
    schema = commands.add_parser("schema", help="print the messages' JSON schemas")
    schema.add_argument("message", nargs="?", default="", metavar="TAG", help="orders.fill.v1")
    schema.add_argument("--asyncapi", action="store_true", help="an AsyncAPI 3 document")
    schema.set_defaults(command=run_schema)


def run_up(arguments: argparse.Namespace) -> int:
    from infra import desk_plan, desk_run  # noqa: PLC0415 - other commands need not load it

    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    plan = desk_plan.make(
        arguments.config,
        arguments.chain,
        seed,
        arguments.venue,
        at_ns=arguments.at,
        is_sharded=arguments.shards,
    )
    return desk_run.run(
        plan,
        seconds=arguments.seconds,
        report_path=arguments.report,
        is_headless=arguments.headless or not sys.stdout.isatty(),
    )


def run_venue(arguments: argparse.Namespace) -> int:
    from infra import venue_alone  # noqa: PLC0415

    seed = secrets.randbelow(2**31) if arguments.seed is None else arguments.seed
    return venue_alone.run(
        arguments.config, arguments.chain, seed, arguments.port, as_json=arguments.json
    )


def run_status(arguments: argparse.Namespace) -> int:
    from infra import status  # noqa: PLC0415

    facts = status.facts()
    if arguments.json:
        print(json.dumps(facts, indent=2))
    else:
        status.show(Console(), facts)
    return EXIT_OK if facts["is_running"] else EXIT_NOT_RUNNING


def run_halt(arguments: argparse.Namespace) -> int:
    from infra import halt_command  # noqa: PLC0415

    return halt_command.run(
        arguments.action, arguments.underlying, arguments.reason, as_json=arguments.json
    )


def run_breaker(arguments: argparse.Namespace) -> int:
    from infra import breaker_command  # noqa: PLC0415

    if arguments.action and not arguments.dependency:
        print("hedgerow: which breaker? Name the dependency.", file=sys.stderr)
        return EXIT_USAGE
    return breaker_command.run(
        arguments.service,
        arguments.dependency,
        arguments.action,
        arguments.reason,
        as_json=arguments.json,
    )


def run_doctor(arguments: argparse.Namespace) -> int:
    if arguments.live:
        return watch_commands.run_live_doctor(as_json=arguments.json)
    from infra import doctor, runs  # noqa: PLC0415

    findings = doctor.examine(runs.home())
    if arguments.json:
        print(json.dumps([vars(finding) for finding in findings], indent=2))
    else:
        console = Console()
        for one in findings:
            mark = "[green]ok  [/green]" if one.is_ok else "[red]bad [/red]"
            console.print(f"{mark} {one.check:12} {one.found}", highlight=False)
            if not one.is_ok:
                console.print(f"     {'':12} → {one.advice}", highlight=False)
    return EXIT_OK if all(finding.is_ok for finding in findings) else EXIT_FAILED


def run_trace(arguments: argparse.Namespace) -> int:
    from infra.traces import ask  # noqa: PLC0415

    return ask.run(arguments.what, arguments.jaeger, as_json=arguments.json)


def run_simulate(arguments: argparse.Namespace) -> int:
    from infra import simulated_desk  # noqa: PLC0415

    return simulated_desk.run(
        seed=arguments.seed,
        hours=arguments.hours,
        faults=arguments.faults,
        config_path=arguments.config,
        as_json=arguments.json,
    )


def run_check_config(arguments: argparse.Namespace) -> int:
    from infra import desk_config  # noqa: PLC0415

    return desk_config.check(arguments.file, as_json=arguments.json)


def run_schema(arguments: argparse.Namespace) -> int:
    from infra import schema, topology  # noqa: PLC0415

    try:
        if arguments.asyncapi:
            document = schema.asyncapi(topology.services())
        else:
            document = schema.schema(arguments.message) if arguments.message else schema.schemas()
    except KeyError:
        print(f"hedgerow: there is no message {arguments.message}", file=sys.stderr)
        return EXIT_USAGE
    print(json.dumps(document, indent=2))
    return EXIT_OK


def moment(text: str) -> int:
    """Returns UTC nanoseconds; a time without a zone is UTC."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no time such as 2026-02-12T07:59") from error
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return round(at.timestamp()) * NS_PER_S


def positive(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number of seconds")
    return value


if __name__ == "__main__":
    sys.exit(main())
