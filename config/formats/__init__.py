"""How dates and times are written: the day first, 24 hours, and the zone beside them."""
