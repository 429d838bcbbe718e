"""Mails as they leave, held against the tools that judge mail: filters, validators, what clients support, a browser."""
