"""The vocabulary (记录): frozen records and column names of all that crosses a package border.

Import from the modules, not from here: ``records.schemas`` needs pyarrow, the others need only the standard library.
"""
