"""Where events come from. `ring`: we are the frontend and read the backend's ring ourselves."""
