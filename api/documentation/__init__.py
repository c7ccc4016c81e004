"""The documents that describe the API, and the pages that show them."""
