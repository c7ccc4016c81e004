"""How requests are read and answers written: bodies, models, problems, pages."""
