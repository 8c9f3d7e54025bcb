"""What maintainers run from a checkout; none of it is in the wheel."""
