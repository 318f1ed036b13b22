"""What people use instead of segsync, each as its own manual advises; the scripts run in venvs of their own."""
