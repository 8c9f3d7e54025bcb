"""What every page shares: one self-contained HTML file, its look, its token maps, and safe text."""
