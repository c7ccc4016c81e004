"""What prompts say: overlays put over their bases, static checks, rendering, and the prompts that come with Bucatini. Where a
tenant's own are kept is infrastructure/postgres/prompts."""
