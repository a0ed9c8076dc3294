"""Our bot beside others, over one Bot API server on loopback: `python -m benchmarks.rivals`."""
