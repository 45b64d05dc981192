"""Rules about peft and its like: adapters that are loaded, merged and switched."""
