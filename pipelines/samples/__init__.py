"""Sample footage and sample cameras: pulled, staged, encoded and served at run time; none of it is in the repository."""
