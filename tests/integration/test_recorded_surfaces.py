"""The surface on every recorded chain that is there: issue 4, Show 3."""

import gzip
import itertools
import json

import pytest

from infra.surface_report import main, passes, report_on, share_of
from native.surface import certify
from native.surface_reference import grid_calendar_gap, grid_density_minimum
from shared.recorded_chain import read_chain
from tests.recorded import recorded

FOLDER = "deribit_option_chains"

pytestmark = pytest.mark.recorded


@pytest.fixture(scope="module")
def reports():
    paths = sorted(recorded(FOLDER).glob("*.csv.gz"))
    return [report_on(read_chain(path), path.name) for path in paths]


def test_models_lie_inside_the_recorded_bid_ask(reports):
    assert len(reports) > 0
    for report in reports:
        assert report.share >= 0.96, report.file
    assert share_of([u for report in reports for u in report.underlyings]) >= 0.98
    assert passes(reports)


def test_every_surface_is_certified_and_a_dense_grid_agrees(reports):
    for report in reports[::6]:
        for u in report.underlyings:
            slices = [e.slice for e in u.expiries]
            assert certify(slices).is_free, report.file
            assert min(grid_density_minimum(svi, points=2001) for svi in slices) > 0.0
            for early, late in itertools.pairwise(slices):
                assert grid_calendar_gap(early, late, points=2001) > 0.0


def test_the_report_writes_its_figures_and_fails_below_a_bar(tmp_path, capsys):
    path = min(recorded(FOLDER).glob("*.csv.gz"))
    assert main([str(path), "--json", str(tmp_path / "r.json")]) == 0
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["totals"]["passed"]
    assert (
        found["totals"]["options"]
        == found["snapshots"][0]["underlyings"][0]["options"]
        + found["snapshots"][0]["underlyings"][1]["options"]
    )
    assert "proved" in capsys.readouterr().out
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    ask, bid = lines[0].split(",").index("ask_price"), lines[0].split(",").index("bid_price")
    shifted = [lines[0]]
    for number, line in enumerate(lines[1:]):
        fields = line.split(",")
        if fields[bid] and fields[ask] and number % 2:  # every other quote is far too dear
            fields[bid] = fields[ask] = str(float(fields[ask]) * 3)
            fields[ask] = str(float(fields[ask]) * 1.01)
        shifted.append(",".join(fields))
    bad = tmp_path / "bad.csv"
    bad.write_text("\n".join(shifted) + "\n")
    assert main([str(bad)]) == 1
    assert main([str(tmp_path / "absent.csv")]) == 2
