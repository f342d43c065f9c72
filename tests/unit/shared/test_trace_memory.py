from shared.causes import Cause
from shared.trace_memory import TraceMemory

ORDER = Cause(7, 8, True)


def test_what_came_after_the_last_handled_message_was_missed(tmp_path):
    first = TraceMemory(tmp_path, "risk")
    first.handled("RECORD", 10)
    born = TraceMemory(tmp_path, "risk")
    assert not born.is_missed("RECORD", 9)
    assert not born.is_missed("RECORD", 10)
    assert born.is_missed("RECORD", 11)
    born.handled("RECORD", 11)
    assert born.is_missed("RECORD", 12), "the mark of the earlier life counts until the next"


def test_a_first_life_has_missed_nothing(tmp_path):
    assert not TraceMemory(tmp_path, "risk").is_missed("RECORD", 11)


def test_streams_and_services_have_marks_of_their_own(tmp_path):
    TraceMemory(tmp_path, "risk").handled("RECORD", 10)
    assert not TraceMemory(tmp_path, "risk").is_missed("LEDGER", 11)
    assert not TraceMemory(tmp_path, "ledger").is_missed("RECORD", 11)


def test_labels_outlive_a_crash_and_a_torn_line(tmp_path):
    first = TraceMemory(tmp_path, "gateway")
    first.label("order-1", ORDER)
    first.label("order-2", ORDER)
    path = tmp_path / "gateway.trace-labels"
    path.write_bytes(path.read_bytes()[:-4])
    born = TraceMemory(tmp_path, "gateway")
    assert born.labels() == {"order-1": ORDER}
    born.label("order-3", ORDER)
    assert set(TraceMemory(tmp_path, "gateway").labels()) == {"order-1", "order-3"}
