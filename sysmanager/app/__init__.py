"""The program: command line, composition of the parts, start of the desktop. The only place that knows how everything is put together."""
