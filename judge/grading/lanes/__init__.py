"""How a judge is reached: embedded, replayed, through litellm or directly, one question at a time or in batches; and how fast."""
