"""A made watch that sends its windows to Kafka: what a real one's gateway would do.

    python send_windows.py [localhost:9092] [how many]

Two seconds of samples are kept, and sent once a second; so each window shares half of its samples with the one
before.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
from aiokafka import AIOKafkaProducer

from streamproc.core import Float32Array

SAMPLES_A_SECOND = 50
WINDOW_SAMPLES = 100
TOPIC, KEY = "windows", b"watch-1"


def made_samples() -> Iterator[Float32Array]:
    """For ever, float32 [6] each: an arm that hangs still (ax ay az in g, gx gy gz in rad/s)."""
    noise = np.random.default_rng(0)
    rest = np.array([-1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    while True:
        yield (rest + noise.normal(scale=0.02, size=6)).astype(np.float32)


def windows(samples: Iterable[Float32Array]) -> Iterator[bytes]:
    """The values of the records: little-endian float32 [100, 6], one for every 50 samples."""
    kept: deque[Float32Array] = deque(maxlen=WINDOW_SAMPLES)
    for number, sample in enumerate(samples, start=1):
        kept.append(sample)
        if number >= WINDOW_SAMPLES and number % SAMPLES_A_SECOND == 0:
            yield np.stack(kept).astype("<f4").tobytes()


async def main(servers: str = "localhost:9092", count: str = "10") -> None:
    """Send so many windows, one a second."""
    made = windows(made_samples())
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        for number in range(int(count)):
            if number:
                await asyncio.sleep(WINDOW_SAMPLES / SAMPLES_A_SECOND / 2)
            # No timestamp is given: the record's is that of sending, when the last sample has just been taken.
            await producer.send_and_wait(TOPIC, next(made), key=KEY)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
