"""Who is who: data to match, and how well it is matched."""
