"""The client for asyncio, a file a resource. `producers/client/blocking/` is generated from this folder."""
