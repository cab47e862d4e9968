"""Objects listed, copied, moved and removed inside stores."""
