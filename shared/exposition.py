"""The page that /metrics answers with, in Prometheus' text format or as OpenMetrics 1.0.

prometheus_client's own encoders look at every character of every label at every look: ten
milliseconds a page of ours, half of what being observed cost an agent. Here the text of a series
is made once. What they would write is what is written (tests/unit/shared/test_exposition.py).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST
from prometheus_client.utils import floatToGoString

from shared.metric_names import Declared
from shared.service import Measured

Sampled = tuple[str, float, float]  # trace id, value in seconds, when (unix seconds)
Exemplars = Mapping[int, Sampled]  # by the bucket's place
Labels = tuple[str, ...]  # names, or their values
OPENMETRICS = "application/openmetrics-text"
SERIES_KEPT = 16_384
NUMBERS_KEPT = 2_048  # some looks' worth: what moved does not come back


class Page:
    """Written a family at a time. `accept` is the reader's header; `names`: only these families,
    empty for all."""

    def __init__(self, accept: str = "", names: Collection[str] = ()) -> None:
        kinds = {one.partition(";")[0].strip() for one in accept.split(",")}
        self.is_open = OPENMETRICS in kinds
        self.content_type = CONTENT_TYPE_LATEST if self.is_open else CONTENT_TYPE_PLAIN_0_0_4
        self._names = frozenset(names)
        self._lines: list[str] = []

    def wants(self, name: str) -> bool:
        return not self._names or name in self._names

    def body(self) -> bytes:
        end = "# EOF\n" if self.is_open else ""
        return ("".join(self._lines) + end).encode()

    def numbers(self, declared: Declared, values: Iterable[tuple[Labels, float]]) -> None:
        """A counter's or a gauge's series: the values of its labels, and its own number."""
        self.heading(declared)
        self._lines += [_line(declared, labels, value) for labels, value in values]

    def heading(self, declared: Declared) -> None:
        """Begins a family whose series are added as texts."""
        self._lines.append(_heading(declared.name, declared.help, declared.kind, self.is_open))

    def add(self, text: str) -> None:
        self._lines.append(text)

    def histogram(
        self, declared: Declared, labels: Labels, measured: Measured, exemplars: Exemplars
    ) -> str:
        """Returns a histogram's series; a bucket with a sampled trace names it, where there is
        room."""
        reached = [*accumulate(measured.counts)]
        numbers = [*map(_number, reached)]
        if self.is_open:
            for place, sampled in exemplars.items():
                numbers[place] += _exemplar(sampled)
        form = _histogram_form(declared.name, declared.labels, labels, measured.bounds)
        return form % (*numbers, _number(reached[-1]), _spelt(measured.total))


def _line(declared: Declared, labels: Labels, value: float) -> str:
    """Returns a series of one number; most are the same at the next look."""
    key = (declared.name, labels)
    held = _lines.get(key)
    if held is None or held[0] != value:
        if len(_lines) >= SERIES_KEPT:
            _lines.clear()
        shown = f"{declared.name}_total" if declared.kind == "counter" else declared.name
        text = f"{_series(shown, declared.labels, labels)} {_number(value)}\n"
        held = _lines[key] = (value, text)
    return held[1]


_lines: dict[tuple[str, Labels], tuple[float, str]] = {}


def _spelt(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


_number = lru_cache(maxsize=NUMBERS_KEPT)(_spelt)  # counts stand still, or are small


@lru_cache(maxsize=SERIES_KEPT)
def _heading(name: str, text: str, kind: str, is_open: bool) -> str:
    shown = f"{name}_total" if kind == "counter" and not is_open else name
    escaped = text.replace("\\", r"\\").replace("\n", r"\n")
    if is_open:
        escaped = escaped.replace('"', r"\"")
    return f"# HELP {shown} {escaped}\n# TYPE {shown} {kind}\n"


@lru_cache(maxsize=SERIES_KEPT)
def _series(name: str, labels: Labels, values: Labels) -> str:
    found = sorted(zip(labels, values, strict=True))
    pairs = ",".join(f'{key}="{_escaped(value)}"' for key, value in found)
    return f"{name}{{{pairs}}}" if pairs else name


@lru_cache(maxsize=SERIES_KEPT)
def _histogram_form(name: str, labels: Labels, values: Labels, bounds: Sequence[float]) -> str:
    """Returns a histogram's series with room for their numbers: buckets, count, sum."""
    edges = [*map(_spelt, bounds), "+Inf"]
    series = [_series(f"{name}_bucket", (*labels, "le"), (*values, edge)) for edge in edges]
    series += [_series(f"{name}_{one}", labels, values) for one in ("count", "sum")]
    return "".join(f"{one.replace('%', '%%')} %s\n" for one in series)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@lru_cache(maxsize=NUMBERS_KEPT)
def _exemplar(sampled: Sampled) -> str:
    trace_id, seconds, unix_s = sampled
    return f' # {{trace_id="{trace_id}"}} {_spelt(seconds)} {unix_s:.9f}'
