"""What runs in the cloud, declared once."""
