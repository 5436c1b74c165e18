"""What the record of incidents says when it is asked as a whole."""
