import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from shared.dedupe import SLOTS, Ids, Seen

FEW = st.text(alphabet="abü0-", max_size=3)


@given(st.lists(FEW))
def test_ids_are_a_set_over_many_tables(texts):
    ids, known = Ids(slots=4), set()
    for text in texts:
        assert (text in ids) == (text in known)
        assert ids.add(text) == (text not in known)
        known.add(text)
    assert all(text in ids for text in known)


def test_the_oldest_table_is_forgotten_and_no_newer_one():
    ids = Ids(tables_max=2, slots=8)
    for number in range(9):  # four a table
        ids.add(str(number))
    assert [str(number) in ids for number in range(9)] == [False] * 4 + [True] * 5


def test_seen_remembers_at_least_so_many():
    seen = Seen(ids_max=SLOTS)
    names = [f"fill-{number}" for number in range(3 * SLOTS)]
    assert all(seen.add(name) for name in names)
    assert not any(seen.add(name) for name in names[-SLOTS:])
    assert names[0] not in seen


def test_an_id_takes_the_bytes_that_are_promised():
    tracemalloc.start()
    ids = Ids()
    for number in range(SLOTS):  # two full tables
        ids.add(f"order-{number}-0-open-0-1795708996160000000")
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / SLOTS < 33
