"""The certificates in C against a dense grid with wings, on famous and on random slices."""

import math
import random

import pytest

from native.surface import Svi, certify, density_minimum, total_variance
from native.surface_reference import (
    density_factor,
    from_jump_wings,
    grid_calendar_gap,
    grid_density_minimum,
)

VOGT = Svi(-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)
VOGT_WINGS = (0.01742625, -0.1752111, 0.6997381, 1.316798, 0.0116249)


def test_the_vogt_slice_is_found_out_at_its_stated_minimum():
    place, minimum = density_minimum(VOGT)
    assert place == pytest.approx(0.8793, abs=1e-4)
    assert minimum == pytest.approx(-0.032864, abs=1e-6)
    certificate = certify([VOGT])
    assert not certificate.is_butterfly_free
    assert 0.6424 <= certificate.butterfly_witness <= 1.2569
    assert density_factor(VOGT, 0.6423) > 0.0 > density_factor(VOGT, 0.6425)
    assert density_factor(VOGT, 1.2570) > 0.0 > density_factor(VOGT, 1.2568)


@pytest.mark.parametrize(
    ("call_wing", "least_variance", "minimum"),
    [(0.3493158, 0.01548182, 0.2778), (0.8564763, 0.0116249, 0.0081)],
)
def test_the_vogt_slice_repaired_is_accepted(call_wing, least_variance, minimum):
    variance, skew, put_wing, _, _ = VOGT_WINGS
    repaired = from_jump_wings(variance, skew, put_wing, call_wing, least_variance, years=1.0)
    assert certify([repaired]).is_butterfly_free
    # The stated minima are over |k| <= 1.5; further out g falls towards 1/4 - slope^2 / 16.
    near = min(density_factor(repaired, 0.0005 * i) for i in range(-3000, 3001))
    assert near == pytest.approx(minimum, abs=2e-4)


def test_jump_wings_give_the_vogt_slice_back():
    assert from_jump_wings(*VOGT_WINGS, years=1.0) == pytest.approx(VOGT, rel=2e-4)


def random_slice(dice: random.Random) -> Svi:
    sigma = math.exp(dice.uniform(-5.0, 1.0))
    b = math.exp(dice.uniform(-4.0, 0.9))
    rho = dice.uniform(-0.99, 0.99)
    floor = math.exp(dice.uniform(-8.0, 0.0))
    a = floor - b * sigma * math.sqrt(1.0 - rho * rho)
    return Svi(a, b, rho, dice.uniform(-0.5, 0.5), sigma)


def test_butterfly_certificates_agree_with_a_dense_grid():
    dice = random.Random(4)
    verdicts = [0, 0]
    for _ in range(400):
        svi = random_slice(dice)
        minimum = grid_density_minimum(svi)
        is_free = certify([svi]).is_butterfly_free
        verdicts[is_free] += 1
        if is_free:
            assert minimum > 0.0, svi
        else:
            assert minimum < 1e-9, svi
    assert min(verdicts) > 50


def test_calendar_certificates_agree_with_a_dense_grid():
    dice = random.Random(5)
    verdicts = [0, 0]
    for _ in range(400):
        early = random_slice(dice)
        late = Svi(
            early.a * dice.uniform(0.9, 1.6) + dice.uniform(-0.01, 0.05),
            early.b * dice.uniform(0.95, 1.5),
            min(max(early.rho + dice.uniform(-0.1, 0.1), -0.99), 0.99),
            early.m + dice.uniform(-0.05, 0.05),
            early.sigma * dice.uniform(0.8, 1.5),
        )
        gap = grid_calendar_gap(early, late)
        is_free = certify([early, late]).is_calendar_free
        verdicts[is_free] += 1
        assert is_free == (gap > 0.0), (early, late, gap)
    assert min(verdicts) > 50


def test_lee_bound_and_negative_variance_are_refused():
    assert not certify([Svi(0.04, 1.1, 0.9, 0.0, 0.2)]).is_butterfly_free
    assert not certify([Svi(-0.04, 0.1, 0.0, 0.0, 0.2)]).is_butterfly_free
    assert certify([Svi(0.04, 0.0, 0.0, 0.0, 0.2)]).is_free
    for bad in (math.nan, math.inf, -math.inf):
        for field in Svi._fields:
            assert not certify([Svi(0.04, 0.1, 0.0, 0.0, 0.2)._replace(**{field: bad})]).is_free


def test_crossing_far_in_a_wing_is_found():
    early = Svi(0.04, 0.1000, 0.0, 0.0, 0.2)
    late = Svi(0.06, 0.0999, 0.0, 0.0, 0.2)
    assert grid_calendar_gap(early, late, reach=50.0) > 0.0
    assert not certify([early, late]).is_calendar_free
    assert not certify([early, early]).is_calendar_free
    assert certify([early, early._replace(a=0.0401, b=0.1001)]).is_calendar_free


def test_certificates_outlive_the_passing_of_time():
    dice = random.Random(6)
    free = [svi for svi in (random_slice(dice) for _ in range(300)) if certify([svi]).is_free]
    assert len(free) > 30
    for svi in free:
        ratio = dice.uniform(0.01, 1.0)
        assert grid_density_minimum(svi.aged(ratio), points=2001) > 0.0
        later = svi.aged(1.5)
        if certify([later]).is_butterfly_free:
            assert certify([svi.aged(ratio), later.aged(1.0 - 0.5 * (1.0 - ratio))]).is_free


def test_total_variance_is_the_formula():
    assert total_variance(VOGT, 0.3586) == pytest.approx(-0.041 + 0.1331 * 0.4153)
