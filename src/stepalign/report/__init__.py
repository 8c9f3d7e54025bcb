"""What people look at: the pages of runs and inspections, figures, and tables in the terminal."""
