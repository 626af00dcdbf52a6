"""Qt models over the lines that `ui.state` makes (QtCore only). They change by row and are never reset."""
