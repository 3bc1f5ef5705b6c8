"""Several judges or samples vote: the panel and its file, its sitting step by step, its cost ahead, a cascade's thresholds."""
