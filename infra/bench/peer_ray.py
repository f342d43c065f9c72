"""A Ray actor call, asked and timed as the other sides of the hop bench are; runs in an environment
of its own that has Ray and nothing of ours: `python peer_ray.py PAYLOAD_BYTES PAUSE_S`."""

import json
import logging
import sys
import time

import ray


class Answerer:
    def answer(self, data: bytes) -> bytes:
        return data


def main() -> None:
    data, pause_s = b"x" * int(sys.argv[1]), float(sys.argv[2])
    ray.init(
        num_cpus=1,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=100 * 1024 * 1024,
    )
    answerer = ray.remote(Answerer).remote()
    ray.get(answerer.answer.remote(data))
    print("ready", flush=True)
    for line in sys.stdin:
        took_ns = []
        for _ in range(int(line)):
            began_ns = time.perf_counter_ns()
            ray.get(answerer.answer.remote(data))
            took_ns.append(time.perf_counter_ns() - began_ns)
            time.sleep(pause_s)
        print(json.dumps(took_ns), flush=True)
    ray.shutdown()


if __name__ == "__main__":
    main()
