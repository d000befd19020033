"""A call that is sent to Kafka while it goes on: what a telephone exchange would do.

    python send_frames.py [localhost:9092] [call.wav] [the call's name]

A frame of 512 samples is sent as soon as its last sample is there.
"""

import asyncio
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

from aiokafka import AIOKafkaProducer

SAMPLES_A_SECOND, FRAME_SAMPLES, SAMPLE_BYTES = 16_000, 512, 2
TOPIC = "frames"
CALL = Path(__file__).parent / "call.wav"


def frames(path: Path) -> Iterator[bytes]:
    """The values of the records: little-endian int16 [512] each; what is left at the end is no whole frame.

    Raises:
        ValueError: the file is not 16 kHz, mono, 16 bits.
    """
    with wave.open(str(path), "rb") as file:
        kind = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        if kind != (1, SAMPLE_BYTES, SAMPLES_A_SECOND):
            msg = f"{path} must have 1 channel of 16 bits at 16 kHz, has {kind}"
            raise ValueError(msg)
        while len(frame := file.readframes(FRAME_SAMPLES)) == FRAME_SAMPLES * SAMPLE_BYTES:
            yield frame


async def main(
    servers: str = "localhost:9092", path: str = str(CALL), name: str = "call-1"
) -> None:
    """Send a call as it goes on."""
    loop = asyncio.get_running_loop()
    async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
        begun_s = loop.time()
        for number, frame in enumerate(frames(Path(path)), start=1):
            await asyncio.sleep(begun_s + number * FRAME_SAMPLES / SAMPLES_A_SECOND - loop.time())
            # No timestamp is given: the record's is that of sending, when the last sample has just been taken.
            await producer.send_and_wait(TOPIC, frame, key=name.encode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
