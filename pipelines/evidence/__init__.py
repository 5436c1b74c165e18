"""Evidence pictures at full size, out of what the recorder has of the main stream."""
