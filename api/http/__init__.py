"""Reading requests and writing responses: bodies, validation, problems, pagination."""
