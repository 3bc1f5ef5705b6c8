"""Reading a transcript that does not fit a judge: pieces and overlapping windows; what was seen kept, findings merged."""
