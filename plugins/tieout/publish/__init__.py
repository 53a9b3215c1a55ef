"""Publish: one pointer that says what readers see, the views they read through, and what is made of them."""
