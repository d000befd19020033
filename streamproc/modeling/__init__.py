"""Makes a model faster, and measures whether it is: benchmarks, per-operator profiles, cheaper variants."""
