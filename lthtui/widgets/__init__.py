"""Parts of screens: each draws one kind of thing and asks nobody for data."""
