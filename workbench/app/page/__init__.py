"""What pages share: session, widgets, links, cached reads."""
