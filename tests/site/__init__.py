"""The site as browsers and their judges see it."""
