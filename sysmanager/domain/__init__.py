"""The nouns of the product (SPEC 1, 2): frozen values, and the rules that concern one of them alone.

Nothing here does I/O, reads a clock or draws a random number.
"""
