"""From a catalogue of weights to models that are ready to run: fetched, built, measured, installed."""
