"""The tests: they mirror ``streamproc/``; what they share is in ``tests/support``."""
