"""The HTTP API, below /api/v1: what programs and our own pages ask."""
