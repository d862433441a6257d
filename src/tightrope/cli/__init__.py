"""The command line. `main` parses without torch; a verb imports what it needs when it runs."""
