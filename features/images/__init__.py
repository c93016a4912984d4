"""Images: what their bytes say, and how they become pixels of one size."""
