"""Queues runs, gives them devices and starts their workers."""
