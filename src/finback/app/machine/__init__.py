"""Machines that run: started, asked, stopped, and what their consoles tell."""
