"""Event streaming over SSE and WebSockets: each event is read once per process and fanned out to its subscribers."""
