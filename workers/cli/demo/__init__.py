"""What `segsync demo` shows."""
