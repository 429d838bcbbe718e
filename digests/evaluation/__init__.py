"""How good the choice of papers is, measured on a corpus in time order with the code that makes digests.

For commands alone: it needs scikit-learn, for the baselines, which sending workers do not have.
"""
