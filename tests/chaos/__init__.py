"""What breaks, broken on purpose: real workers are killed, real servers restarted, and then the books are compared with
what arrived. `make chaos` runs all of it, `python -m tests.chaos --help` parts of it.
"""
