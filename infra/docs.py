"""Rewrites the generated parts of README.md, Prometheus' rules, Grafana's dashboards, and the
AsyncAPI document (`make docs`).

A generated part stands between `<!-- generated: NAME -->` and `<!-- end: NAME -->`; a contract test
checks that README is what this module would write.
"""

import json
import re
import sys
from pathlib import Path

from infra import dashboards
from infra.alerting import prometheus_rules
from infra.schema import asyncapi
from infra.topology import mermaid, message_table, services

ROOT = Path(__file__).resolve().parent.parent


def generated_parts() -> dict[str, str]:
    wirings = services()
    return {"graph": mermaid(wirings), "messages": message_table(wirings)}


def with_parts(text: str, parts: dict[str, str]) -> str:
    """Returns `text` with each part replaced. Raises ValueError when its marks are missing."""
    for name, part in parts.items():
        marks = rf"(<!-- generated: {name} -->\n).*?(<!-- end: {name} -->)"
        escaped = part.replace("\\", r"\\")
        text, count = re.subn(marks, rf"\g<1>{escaped}\n\g<2>", text, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"README.md has no marks for the generated part `{name}`")
    return text


def main() -> int:
    prometheus_rules.write()
    dashboards.write()
    path = ROOT / "README.md"
    path.write_text(with_parts(path.read_text(encoding="utf-8"), generated_parts()), "utf-8")
    document = ROOT / "build" / "asyncapi.json"
    document.parent.mkdir(exist_ok=True)
    document.write_text(json.dumps(asyncapi(services()), indent=2), encoding="utf-8")
    print(f"wrote {path.name}, Prometheus' rules, dashboards and build/{document.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
