"""An OpenID Connect provider: its tokens are taken when settings name it."""
