"""The breaker against a model of resilience4j's documented semantics; `make breakers` asks more."""

import pytest

from shared.breaker import Breaker
from tests.differential.breaker_many import PLANTED, noticed_after
from tests.differential.breaker_sequences import search

SEQUENCES = 4_000
SEED = 77  # far from those of `make breakers`


def test_random_call_sequences_equal_the_model():
    tried, steps, found = search(Breaker, SEED, SEQUENCES)
    assert not found, found
    assert tried == SEQUENCES
    assert steps > 10 * SEQUENCES


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_noticed(name):
    assert noticed_after(name, SEED) > 0
