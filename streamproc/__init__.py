"""Real-time inference on event streams."""
