"""What analysis saw, kept compactly without pictures, so that other rules can be tried on it afterwards."""
