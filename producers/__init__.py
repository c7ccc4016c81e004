"""Every way a command gets in, and what brings it on when nobody else does."""
