import subprocess
import sys
import threading
from pathlib import Path

import pytest

from shared.journal import Journal, JournalDamagedError, JournalError, head_path, read_entries
from shared.journal_verifier import Anchor, verify

RECORDS = [("orders.fill.v1", b'{"a":1}'), ("risk.halt.v1", b"{}"), ("x", b"payload" * 9)]


def write(path: Path, records=RECORDS) -> list:
    journal = Journal(path)
    entries = [journal.append(1_700_000_000_000_000_000, *record) for record in records]
    journal.close()
    return entries


@pytest.fixture
def path(tmp_path):
    return tmp_path / "desk.journal"


def test_entries_come_back_as_they_went(path):
    entries = write(path)
    assert list(read_entries(path)) == entries
    assert [entry.sequence for entry in entries] == [1, 2, 3]
    assert entries[1].previous_hash == entries[0].entry_hash
    assert entries[0].previous_hash == "0" * 64
    assert entries[0].created_us == 1_700_000_000_000_000
    verdict = verify(path)
    assert verdict.is_whole
    assert verdict.entry_count == 3
    assert verdict.last_hash == entries[-1].entry_hash


def test_a_reopened_journal_goes_on_in_the_same_chain(path):
    first = write(path)
    second = write(path)
    assert second[0].previous_hash == first[-1].entry_hash
    assert [entry.sequence for entry in read_entries(path)] == [1, 2, 3, 4, 5, 6]
    assert verify(path).is_whole


def test_an_empty_journal_is_whole(path):
    write(path, [])
    assert list(read_entries(path)) == []
    assert verify(path).is_whole


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_flipped_byte_is_found_by_verifier_and_by_opening(path, mask):
    write(path)
    good = path.read_bytes()
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= mask
        path.write_bytes(bad)
        assert not verify(path).is_whole, place
        with pytest.raises(JournalDamagedError):
            list(read_entries(path))
        with pytest.raises(JournalDamagedError):
            Journal(path)


def test_every_flipped_byte_of_the_head_is_found_by_the_verifier(path):
    write(path)
    good = head_path(path).read_bytes()
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 0x10
        head_path(path).write_bytes(bad)
        assert not verify(path).is_whole, place


def test_every_truncation_is_found_by_verifier_and_by_opening(path):
    write(path)
    good = path.read_bytes()
    for size in range(len(good)):
        path.write_bytes(good[:size])
        assert not verify(path).is_whole, size
        with pytest.raises(JournalDamagedError):
            Journal(path)


def test_a_torn_write_beyond_the_head_is_cut_at_every_byte_and_kept_aside(path):
    first = write(path)
    head = head_path(path).read_bytes()
    durable = path.stat().st_size
    write(path, [("k", b"1"), ("k", b"2")])
    whole = path.read_bytes()
    ends = {entry_end(whole, count): count for count in (3, 4, 5)}
    for size in range(durable, len(whole)):
        path.write_bytes(whole[:size])
        head_path(path).write_bytes(head)  # as the power cut left it
        journal = Journal(path)
        kept = max(count for end, count in ends.items() if end <= size)
        assert journal.sequence == kept
        assert (journal.torn_bytes > 0) == (size not in ends)
        journal.append(1, "after", b"{}")
        journal.close()
        assert verify(path).is_whole
        assert next(read_entries(path)) == first[0]
        for torn in path.parent.glob("*.torn-*"):
            torn.unlink()


def entry_end(data: bytes, count: int) -> int:
    at = 8
    for _ in range(count):
        at += 8 + int.from_bytes(data[at : at + 4], "little")
    return at


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2), (0, 1, 1, 2), (0, 1)])
def test_reordered_dropped_doubled_and_missing_records_are_found(path, order):
    write(path)
    data = path.read_bytes()
    cuts = [8, *(entry_end(data, count) for count in (1, 2, 3))]
    path.write_bytes(data[:8] + b"".join(data[cuts[i] : cuts[i + 1]] for i in order))
    assert not verify(path).is_whole


def test_an_anchor_finds_a_journal_that_was_cut_together_with_its_head(path, tmp_path):
    short = tmp_path / "short.journal"
    entries = write(path)
    write(short, RECORDS[:2])
    anchor = Anchor(3, entries[-1].entry_hash)
    assert verify(path, anchor).is_whole
    assert verify(short).is_whole
    assert "3 entries were durable, 2 are here" in verify(short, anchor).reason
    assert not verify(path, Anchor(2, entries[-1].entry_hash)).is_whole


def test_durable_is_told_in_groups_and_in_order(path):
    told: list[int] = []
    enough = threading.Event()

    def on_durable(sequence: int) -> None:
        told.append(sequence)
        if sequence == 500:
            enough.set()

    journal = Journal(path, on_durable=on_durable)
    for number in range(500):
        journal.append(number, "k", b"{}")
    assert enough.wait(5)
    journal.close()
    assert told == sorted(told)
    assert len(told) < 100
    assert journal.durable_sequence == 500


def test_a_second_writer_is_refused(path):
    journal = Journal(path)
    with pytest.raises(JournalError, match="open in another process"):
        Journal(path)
    journal.close()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(JournalError, match=r"nowhere.*No such file"):
        Journal(tmp_path / "nowhere" / "desk.journal")


def test_a_file_that_is_no_journal_is_refused(path):
    path.write_bytes(b"something else entirely")
    with pytest.raises(JournalError):
        list(read_entries(path))
    with pytest.raises(JournalError, match="no journal begins like this"):
        Journal(path)
    assert path.read_bytes() == b"something else entirely"


def test_a_path_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(JournalError, match="Is a directory"):
        Journal(tmp_path)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(JournalError, match="Not a directory"):
        Journal(tmp_path / "file" / "desk.journal")


FULL_DISK = """
import resource, signal, sys, threading
from pathlib import Path
from shared.journal import Journal, JournalError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
failed = threading.Event()
journal = Journal(Path(sys.argv[1]), on_failure=lambda error: failed.set())
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
for number in range(200):
    try:
        journal.append(number, "k", b"x" * 100)
    except JournalError:
        break
assert failed.wait(5)
try:
    journal.append(1, "k", b"")
except JournalError as error:
    print(error)
"""


def test_a_disk_without_room_fails_clearly_and_the_journal_recovers(path):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True
    )
    assert "File too large; durable up to entry" in done.stdout
    journal = Journal(path)
    count = journal.sequence
    journal.append(1, "after", b"{}")
    journal.close()
    assert verify(path).is_whole
    assert len(list(read_entries(path))) == count + 1
