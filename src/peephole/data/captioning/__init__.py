"""Pictures with captions: how files name them, what becomes of them on disk, and how training reads them."""
