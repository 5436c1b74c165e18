"""From pixels and timestamps to incidents: deterministic, with no network, clock, thread, database or log."""
