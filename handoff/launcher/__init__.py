"""The launcher: what a user or an init system starts; it starts and watches the others."""
