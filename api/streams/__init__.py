"""Events as they happen: read once for the whole process, written to SSE streams and WebSockets."""
