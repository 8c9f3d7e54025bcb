"""What contexts teach, token by token: inspections of one response, preflight of many, and the verdict."""
