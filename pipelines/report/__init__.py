"""The inspection sheet (督导考评): the figures of a week, a month or a term, per camera and site, each with what is behind it."""
