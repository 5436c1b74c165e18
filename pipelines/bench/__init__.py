"""What is claimed about speed, as programs behind `gatewatch bench`."""
