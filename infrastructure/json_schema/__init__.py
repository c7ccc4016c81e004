"""JSON that has to meet a schema: checked by one library, and mended by another where a model wrote it badly."""
