"""What xenabs asks of an X server, as one of its clients."""
