"""What people ask of an engine that runs, and what they read: shared by every command line."""
