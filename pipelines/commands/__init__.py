"""One module per command group; each declares its arguments and wires the objects it needs."""
