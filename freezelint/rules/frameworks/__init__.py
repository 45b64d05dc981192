"""Rules about frameworks that train by themselves."""
