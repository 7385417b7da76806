"""One file for each part of the surface; every public text in it is a list of cases, one a line."""
