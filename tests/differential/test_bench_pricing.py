"""The benchmark runs, and its accuracy column holds us to our bound."""

import json

from infra.bench import pricing as bench_pricing


def test_bench_times_every_contender_and_ours_is_exact(tmp_path, monkeypatch, capsys):
    target = tmp_path / "bench.json"
    small = [contender._replace(options_count=64) for contender in bench_pricing.CONTENDERS]
    monkeypatch.setattr(bench_pricing, "CONTENDERS", small)
    monkeypatch.setattr("sys.argv", ["bench_pricing", "--rounds", "3", "--json", str(target)])
    assert bench_pricing.main() == 0
    printed = capsys.readouterr().out
    report = json.loads(target.read_text(encoding="utf-8"))
    names = [row["name"] for row in report["contenders"]]
    assert {name.split()[0].strip(",") for name in names} == {
        "hedgerow",
        "QuantLib",
        "vollib",
        "NumPy",
    }
    assert all(name in printed for name in names)
    for row in report["contenders"]:
        assert 0 < row["price_with_greeks_ns"]["p10"] <= row["price_with_greeks_ns"]["p90"]
        assert row["implied_vol_ns"]["p50"] > 0
        if row["name"].startswith("hedgerow"):
            assert row["round_trip_error_max"] <= 1e-12
    assert report["conditions"]["flags"].startswith("-std=c11")
