"""What an agent does to its process before it runs."""

import gc

from shared.main import keep_forever


def test_what_is_there_at_the_start_is_collected_no_more():
    class Kept:
        pass

    kept = Kept()
    assert any(found is kept for found in gc.get_objects())
    try:
        keep_forever()
        assert gc.get_freeze_count() > 0
        assert not any(found is kept for found in gc.get_objects())
    finally:
        gc.unfreeze()
