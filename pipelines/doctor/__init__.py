"""What on this machine would stop Gatewatch from working, and how to mend it."""
