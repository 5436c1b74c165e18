"""Moves things between the world and `vision`: media in, incidents out, alerts to people, footage to disk."""
