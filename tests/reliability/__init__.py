"""The reliability suite: sessions that trade while their venue, their network or their process fails."""
