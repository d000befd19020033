"""A made watch that sends its samples to Kafka, 50 a second: what a real one's gateway would do.

python send_samples.py [localhost:9092] [how many]
"""

import asyncio
import json
import sys
from collections.abc import Iterator

import numpy as np
from aiokafka import AIOKafkaProducer

SAMPLES_A_SECOND = 50
TOPIC, KEY = "samples", b"watch-1"


def made_samples() -> Iterator[dict[str, list[float]]]:
    """For ever: an arm that hangs still (ax ay az in g, gx gy gz in rad/s)."""
    noise = np.random.default_rng(0)
    rest = np.array([-1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    while True:
        yield {"sample": (rest + noise.normal(scale=0.02, size=6)).tolist()}


async def main(servers: str = "localhost:9092", count: str = "500") -> None:
    """Send so many samples, as they are taken."""
    made = made_samples()
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        for _ in range(int(count)):
            # No timestamp is given: the record's is that of sending, when the sample has just been taken.
            await producer.send(TOPIC, json.dumps(next(made)).encode(), key=KEY)
            await asyncio.sleep(1 / SAMPLES_A_SECOND)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
