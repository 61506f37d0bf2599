"""What a command or stage is doing and for how long, shown on a terminal while it prints nothing."""
