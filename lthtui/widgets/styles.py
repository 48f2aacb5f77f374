"""The app's styles, which are parsed once for a theme."""

from __future__ import annotations

from textual.css.stylesheet import Stylesheet


class Styles(Stylesheet):
    """As Textual's, which parses everything again with each screen, and four times to start."""

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(variables=variables)
        self._given = variables

    def set_variables(self, variables: dict[str, str]) -> None:
        """Parse anew from now on, if these are others than before."""
        if variables != self._given:
            self._given = variables
            super().set_variables(variables)

    def reparse(self) -> None:
        """Parse what was not parsed with the variables of now."""
        self.parse()
