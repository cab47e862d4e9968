"""Where objects go. A store speaks one service's dialect; what all share (retry, limits) is wrapped around it."""
