"""Training and judging the aggression score on labelled clips. Nothing at a gate imports this."""
