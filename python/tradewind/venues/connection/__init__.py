"""What connections to all venues share."""
