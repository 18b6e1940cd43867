"""Images of many sizes."""
