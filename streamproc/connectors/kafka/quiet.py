"""Keeps aiokafka from logging what must stay unseen.

At level DEBUG it logs each request and answer as it goes over the wire: the values of records, and the password of
SASL PLAIN in the clear. No level of ours may bring those into a log, so they are taken out where they are made.
"""

import logging
from typing import Final

LOGGERS: Final = ("aiokafka.conn", "aiokafka.producer.producer")
"""Those of its loggers that are handed requests, answers, keys and values."""


def keep_payloads_out() -> None:
    """See to it that these loggers say nothing at level DEBUG, whoever sets their level."""
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.removeFilter(_above_debug)  # a filter counts once, however often it is asked for
        logger.addFilter(_above_debug)


def _above_debug(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG
