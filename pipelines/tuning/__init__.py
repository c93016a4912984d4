"""A search for better hyper-parameters: what Optuna proposes, and what it learns of the trials."""
