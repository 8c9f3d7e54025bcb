"""`stepalign inspect`: what each context would teach, token by token, on one response."""
