"""Properties are about every value, not about time: no deadline, and few enough examples for every commit."""

from hypothesis import settings

settings.register_profile("bulkput", deadline=None, max_examples=100)
settings.load_profile("bulkput")
