"""The providers' wire formats, as a server writes them."""
