"""The leaderboard: rows as data, who may be ranked beside whom, how every number is made again, and how it all reads."""
