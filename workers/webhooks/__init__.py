"""The webhooks pool: tells other people's servers what happened."""
