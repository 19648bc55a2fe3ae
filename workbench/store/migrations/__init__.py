"""Numbered steps that build the store. A step that has been published is never edited: add the next one."""

#: The newest step; a store that is there needs no further look.
HEAD = "0002"
