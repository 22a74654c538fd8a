"""Presets: what they are, where their files are, loading, cards."""
