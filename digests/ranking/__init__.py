"""Choosing papers for one reader: words to numbers, what a reader liked to an order, and the true reason of each place.

Pure, and made for sending workers: numpy and scipy alone, no model files, no network.
"""
