"""Whole recordings from the net: what may be asked for, how politely, through which door, and what refusals mean."""
