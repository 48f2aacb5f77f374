"""Sections of a report: one subject a file, which defines `build(subject)`.

It gives a section, or, where nothing is there yet, the commands that would change that, or None
where the subject does not arise.
"""

ORDER = (
    *(
        "published",
        "accuracy",
        "levels",
        "settings",
        "sizes",
        "worth",
        "scores",
        "robustness",
        "layers",
        "similarity",
        "inside",
    ),
    *("transfer", "stability", "training", "cost", "reproduction"),
)
