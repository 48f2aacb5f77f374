"""The checks of `lthtui doctor`, one file per topic."""
