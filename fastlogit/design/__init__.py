"""Where rows come from: each design answers the same passes, whatever holds its rows."""
