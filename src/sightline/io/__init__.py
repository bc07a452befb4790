"""Files written atomically, CSV, the console, and secrets kept out of them."""
