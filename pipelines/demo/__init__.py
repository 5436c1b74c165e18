"""`make demo`: the whole chain on sample cameras, told to a newcomer and held against the truth."""
