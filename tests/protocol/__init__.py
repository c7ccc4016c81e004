"""The job protocol as a model whose whole state space is searched, and the real statements driven through its steps."""
