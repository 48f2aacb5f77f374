"""Plans, launches and watches runs in a terminal. Never imports torch."""
