"""Checks a desk.toml, and prints every key a desk.toml may hold."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from infra.alerting.core import Config as AlertingConfig
from infra.desk_plan import check_tables
from infra.topology import SERVICES
from shared.configuration import DeskConfig, load_tables


def check(path: str, *, as_json: bool) -> int:
    """Validates the file (or shows all defaults). Raises ConfigurationError on a fault."""
    if path:
        check_tables(load_tables(path))
        print(json.dumps({"file": path, "is_valid": True}) if as_json else f"{path} is valid")
        return 0
    defaults = all_defaults()
    print(json.dumps(defaults, indent=2) if as_json else "\n".join(toml_lines(defaults)))
    return 0


def write_open_bus(folder: Path) -> str:
    """Writes a desk.toml whose bus takes everybody, for tools that speak in others' names; returns
    its path."""
    path = folder / "desk.toml"
    path.write_text("[desk]\nbus_security = false\n", encoding="utf-8")
    return str(path)


def all_defaults() -> dict[str, dict[str, Any]]:
    """Returns every table with its default values."""
    tables = {"desk": msgspec.to_builtins(DeskConfig())}
    for name in SERVICES:
        config = importlib.import_module(f"services.{name}.core").Config
        tables[name] = msgspec.to_builtins(config())
    tables["alerting"] = msgspec.to_builtins(AlertingConfig())
    return tables


def toml_lines(tables: dict[str, dict[str, Any]]) -> Iterator[str]:
    yield "# Every table and key of desk.toml, with its default."
    for name, table in tables.items():
        yield from table_lines(name, table)


def table_lines(name: str, table: dict[str, Any]) -> Iterator[str]:
    """Yields a table's own keys, then the tables inside it; TOML wants them in this order."""
    yield f"\n[{name}]"
    for key, value in table.items():
        if not isinstance(value, dict):
            yield f"{key} = {toml_value(value)}"
    for key, value in table.items():
        if isinstance(value, dict):
            yield from table_lines(f"{name}.{key}", value)


def toml_value(value: object) -> str:
    """Returns a value as TOML: scalars as JSON spells them, tables inside lists on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(one) for one in value) + "]"
    return json.dumps(value)
