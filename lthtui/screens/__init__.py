"""Screens: each lays out widgets and turns keys and messages into calls on them."""
