"""Examples of requests, answers and problems for the OpenAPI document: real models, so they can't say what those don't."""
