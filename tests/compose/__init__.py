"""The compose file and the Dockerfile as they are, run for real where there is no registry: see `__main__`."""
