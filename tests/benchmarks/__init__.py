"""Benchmarks on real programs; run by hand, not by pytest. See README.md."""
