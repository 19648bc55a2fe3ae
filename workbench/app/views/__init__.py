"""One page each: parse the URL and the widgets, call one core function, show what it gave."""
