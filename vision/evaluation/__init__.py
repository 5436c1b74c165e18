"""How good tracking, counting and incidents are against a truth."""
